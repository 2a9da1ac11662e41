//! Addresses of the platform's own pages, as templates with the ids of what they show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::fields::{SectionValue, nearest};

/// The longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 1_000;

reconciler_jobs::vocabulary! {
    /// What the platform has a page of.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Linked {
        /// What people call it.
        label,
        /// What templates and the API call it.
        name: &'static str,
    }
    Run = "run" { name: "run" }
    Restore = "restore" { name: "restore" }
    BackupSet = "backup set" { name: "backup_set" }
    Evidence = "evidence" { name: "evidence" }
    Environment = "environment" { name: "environment" }
    Workspace = "workspace" { name: "workspace" }
}

/// Templates of addresses, or addresses made from them.
pub type Links = BTreeMap<Linked, String>;

impl Linked {
    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|linked| linked.name() == name)
    }

    /// How templates name its id.
    fn placeholder(self) -> String {
        format!("{{{}}}", self.name())
    }
}

/// The address of each thing that has a template, and whose ids are known. Ids are whole numbers, of which nothing has
/// to be encoded.
pub fn addresses(templates: &Links, id_of: impl Fn(Linked) -> Option<i64>) -> Links {
    let filled = |(linked, template): (&Linked, &String)| Some((*linked, fill(template, &id_of)?));
    templates.iter().filter_map(filled).collect()
}

fn fill(template: &str, id_of: impl Fn(Linked) -> Option<i64>) -> Option<String> {
    let mut address = template.to_owned();
    for linked in Linked::ALL {
        let placeholder = linked.placeholder();
        if address.contains(&placeholder) {
            address = address.replace(&placeholder, &id_of(linked)?.to_string());
        }
    }
    Some(address)
}

/// A section of templates.
pub(super) fn links(found: SectionValue<'_>) -> Result<Option<Links>, String> {
    // As it is written where there are none.
    let Some(found) = found else {
        return Ok(None);
    };
    let table = found.as_table().ok_or_else(|| {
        let names = Linked::ALL.map(Linked::name).join(", ");
        format!("it must be a section `[console.links]` with templates under {names}")
    })?;
    let read = |(key, template): (&String, &toml::Value)| {
        let linked = Linked::named(key).ok_or_else(|| unknown("key", key))?;
        let template = template.as_str().ok_or("it must be a text".to_owned());
        let template = template.and_then(|text| check(linked, text).map(|()| text.to_owned()));
        let template = template.map_err(|fault| format!("`{}`: {fault}", linked.name()))?;
        Ok((linked, template))
    };
    table.iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn unknown(what: &str, name: &str) -> String {
    let names = Linked::ALL.map(Linked::name);
    nearest(name, &names).map_or_else(
        || format!("an unknown {what}; there are {}", names.join(", ")),
        |near| format!("an unknown {what}; did you mean `{near}`?"),
    )
}

/// Whether a template leads to one place of the platform, and to the thing that it is for.
fn check(linked: Linked, template: &str) -> Result<(), String> {
    if template.len() > TEMPLATE_BYTES_MAX {
        return Err(format!("it must have at most {TEMPLATE_BYTES_MAX} bytes"));
    }
    for piece in template.split('{').skip(1) {
        let (name, _) = piece.split_once('}').ok_or("a `{` has no `}`")?;
        Linked::named(name).ok_or_else(|| unknown("placeholder", name))?;
    }
    if !template.contains(&linked.placeholder()) {
        return Err(format!("it must hold {}", linked.placeholder()));
    }
    let filled = |id| fill(template, |_| Some(id)).and_then(|text| Url::parse(&text).ok());
    let (Some(one), Some(other)) = (filled(1), filled(2)) else {
        return Err(
            "it must be a whole URL, such as \"https://platform.example/runs/{run}\"".to_owned(),
        );
    };
    if one.scheme() != "https" {
        return Err("it must begin with https://".to_owned());
    }
    if one.origin() != other.origin() {
        return Err("there may be placeholders behind the host only".to_owned());
    }
    if !one.username().is_empty() || one.password().is_some() {
        return Err("it must hold no name and no password".to_owned());
    }
    Ok(())
}
