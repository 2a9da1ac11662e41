//! Whether a document is as a JSON Schema says, by those of its words that ours use.

use serde_json::Value;

/// What only describes.
const SAYS_NOTHING: [&str; 8] = [
    "$schema",
    "$defs",
    "title",
    "description",
    "default",
    "format",
    "pattern",
    "uniqueItems",
];

/// A schema with the definitions that its parts name.
pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn of(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("a schema"))
    }

    /// What is wrong with the document: in it, a name that the schema does not describe is wrong, too.
    pub(crate) fn check(&self, document: &Value) -> Result<(), String> {
        self.fits(&self.0, document)?;
        let kinds = self.0["oneOf"].as_array().into_iter().flatten();
        let mut kinds = kinds.filter(|it| self.fits(it, document).is_ok());
        self.fits_whole(kinds.next().expect("one of them"), document)
    }

    /// Fits, and holds nothing else.
    fn fits_whole(&self, schema: &Value, value: &Value) -> Result<(), String> {
        self.fits(schema, value)?;
        let known = self.names(schema).filter(|names| !names.is_empty());
        let held = value.as_object().into_iter().flatten();
        let is_unknown = |name: &str| known.as_ref().is_some_and(|known| !known.contains(&name));
        match held.map(|(name, _)| name).find(|name| is_unknown(name)) {
            Some(name) => Err(format!("{name} is not described")),
            None => Ok(()),
        }
    }

    fn definition(&self, reference: &Value) -> &Value {
        let pointer = reference.as_str().and_then(|it| it.strip_prefix('#'));
        let found = pointer.and_then(|pointer| self.0.pointer(pointer));
        found.unwrap_or_else(|| panic!("{reference} is not there"))
    }

    fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let Some(words) = schema.as_object() else {
            assert_eq!(schema, &Value::Bool(true), "a schema");
            return Ok(());
        };
        for (word, said) in words {
            let fit = |each: &Value| {
                let each = each.as_array().expect("schemas").iter();
                each.filter(|it| self.fits(it, value).is_ok()).count()
            };
            let number = |at: fn(f64, f64) -> bool| {
                let pair = value.as_f64().zip(said.as_f64());
                pair.is_none_or(|(value, limit)| at(value, limit))
            };
            let length = |at: fn(usize, usize) -> bool, length: Option<usize>| {
                let limit = said.as_u64().and_then(|it| usize::try_from(it).ok());
                length
                    .zip(limit)
                    .is_none_or(|(length, limit)| at(length, limit))
            };
            let items = value.as_array().map(Vec::len);
            let chars = value.as_str().map(|it| it.chars().count());
            let is_so = match word.as_str() {
                "$ref" => {
                    self.fits(self.definition(said), value)?;
                    true
                }
                "const" => said == value,
                "enum" => said.as_array().expect("values").contains(value),
                "type" => said.as_array().map_or_else(
                    || is_of_type(value, said),
                    |types| types.iter().any(|it| is_of_type(value, it)),
                ),
                "oneOf" => fit(said) == 1,
                "anyOf" => fit(said) > 0,
                "required" => said.as_array().expect("names").iter().all(|name| {
                    let name = name.as_str().expect("a name");
                    value.as_object().is_none_or(|it| it.contains_key(name))
                }),
                "properties" => {
                    for (name, part) in said.as_object().expect("parts") {
                        if let Some(value) = value.get(name) {
                            let fits = self.fits_whole(part, value);
                            fits.map_err(|why| format!("{name}: {why}"))?;
                        }
                    }
                    true
                }
                "additionalProperties" => true,
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.fits_whole(said, item)?;
                    }
                    true
                }
                "minimum" => number(|value, limit| value >= limit),
                "maximum" => number(|value, limit| value <= limit),
                "minItems" => length(|length, limit| length >= limit, items),
                "maxItems" => length(|length, limit| length <= limit, items),
                "minLength" => length(|length, limit| length >= limit, chars),
                "maxLength" => length(|length, limit| length <= limit, chars),
                word if SAYS_NOTHING.contains(&word) => true,
                word => panic!("this does not know {word}"),
            };
            if !is_so {
                return Err(format!("not as {word} says: {value}"));
            }
        }
        Ok(())
    }

    /// The names that an object of this schema may have; none where any will do.
    fn names<'s>(&'s self, schema: &'s Value) -> Option<Vec<&'s str>> {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut names: Vec<&str> = properties.map(|(name, _)| name.as_str()).collect();
        let reference = schema.get("$ref").map(|it| self.definition(it));
        let choices = ["oneOf", "anyOf"].map(|word| schema[word].as_array().into_iter().flatten());
        for part in choices.into_iter().flatten().chain(reference) {
            names.extend(self.names(part)?);
        }
        let is_open = schema
            .get("additionalProperties")
            .is_some_and(|it| it != &Value::Bool(false));
        (!is_open).then_some(names)
    }
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("the name of a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}
