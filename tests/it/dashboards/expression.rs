//! What an expression asks for, and whether that is there.

use std::collections::BTreeSet;

use promql_parser::parser::{
    self, AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector,
};

use super::known::Known;

type Labels = BTreeSet<String>;

pub(super) struct Reading {
    /// The metrics that it asks for, as they are declared or recorded.
    pub(super) names: BTreeSet<String>,
    /// The labels that its result may have.
    pub(super) labels: Labels,
    pub(super) faults: Vec<String>,
}

impl Reading {
    /// Reads `text`, and `shown`: texts in which labels of the result are filled in.
    pub(super) fn of(text: &str, shown: &[&str], known: &Known) -> Self {
        let mut reader = Reader {
            known,
            names: BTreeSet::new(),
            faults: Vec::new(),
        };
        let labels = match parser::parse(text) {
            Ok(expression) => reader.labels(&expression),
            Err(error) => {
                let fault = format!("{text} cannot be parsed: {error}");
                reader.faults.push(fault);
                Labels::new()
            }
        };
        for label in shown.iter().flat_map(|text| filled_in(text)) {
            reader.has(&labels, &label, text);
        }
        Self {
            names: reader.names,
            labels,
            faults: reader.faults,
        }
    }
}

/// The labels that `{{ label }}` and `{{ $labels.label }}` name.
fn filled_in(text: &str) -> Vec<String> {
    let inside = text.split("{{").skip(1);
    inside
        .filter_map(|rest| rest.split("}}").next())
        .map(str::trim)
        .filter(|inside| !inside.starts_with("$value"))
        .map(|inside| inside.trim_start_matches("$labels.").to_owned())
        .collect()
}

struct Reader<'a> {
    known: &'a Known,
    names: BTreeSet<String>,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn labels(&mut self, expression: &Expr) -> Labels {
        match expression {
            Expr::VectorSelector(selector) => self.selector(selector, false),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs, true),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::Paren(inner) => self.labels(&inner.expr),
            Expr::Unary(inner) => self.labels(&inner.expr),
            Expr::Subquery(inner) => self.labels(&inner.expr),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Labels::new(),
            Expr::Extension(_) => panic!("nobody extends the language"),
        }
    }

    fn selector(&mut self, selector: &VectorSelector, in_range: bool) -> Labels {
        let name = selector.name.as_deref();
        let name = name.expect("every selector names its metric");
        let Some(metric) = self.known.metric(name) else {
            self.faults.push(format!("no metric is called {name}"));
            return Labels::new();
        };
        self.names.insert(metric.family.clone());
        let matchers = &selector.matchers.matchers;
        for matcher in matchers {
            self.has(&metric.labels, &matcher.name, name);
        }
        if !metric.has_series(matchers) {
            self.faults.push(format!("{selector} matches no series"));
        }
        // A counter begins anew with each process: only its growth says something.
        if metric.counts_up && !in_range {
            let fault = format!("{name} counts up, and is asked for as it stands");
            self.faults.push(fault);
        }
        metric.labels.clone()
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Labels {
        let inner = self.labels(&aggregate.expr);
        if let Some(parameter) = &aggregate.param {
            self.labels(parameter);
        }
        let picks = ["topk", "bottomk"].contains(&aggregate.op.to_string().as_str());
        match &aggregate.modifier {
            Some(modifier) => {
                let named = self.named(modifier, &inner);
                match modifier {
                    _ if picks => inner,
                    LabelModifier::Include(_) => named,
                    LabelModifier::Exclude(_) => inner.difference(&named).cloned().collect(),
                }
            }
            None if picks => inner,
            None => Labels::new(),
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Labels {
        let (left, right) = (self.labels(&binary.lhs), self.labels(&binary.rhs));
        if let Some(matching) = binary.modifier.as_ref().and_then(|it| it.matching.as_ref()) {
            self.named(matching, &left);
            self.named(matching, &right);
        }
        match binary.op.to_string().as_str() {
            "and" | "unless" => left,
            _ => left.union(&right).cloned().collect(),
        }
    }

    fn call(&mut self, call: &Call) -> Labels {
        let mut labels = Labels::new();
        for argument in &call.args.args {
            labels.extend(self.labels(argument));
        }
        match call.func.name {
            "histogram_quantile" => {
                self.has(&labels, "le", call.func.name);
                labels.remove("le");
                labels
            }
            "absent" => Labels::new(),
            _ => labels,
        }
    }

    /// The labels that are named, all of which must be there.
    fn named(&mut self, modifier: &LabelModifier, there: &Labels) -> Labels {
        let named: Labels = modifier.labels().labels.iter().cloned().collect();
        for label in &named {
            self.has(there, label, "by, without, on or ignoring");
        }
        named
    }

    fn has(&mut self, there: &Labels, label: &str, within: &str) {
        if !there.contains(label) {
            let fault =
                format!("there is no label {label}, named in {within}; there are {there:?}");
            self.faults.push(fault);
        }
    }
}
