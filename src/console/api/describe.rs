//! The description of the API: `OpenAPI` 3.1, made from the types that it answers with.

use std::sync::Arc;

use axum::routing::MethodRouter;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::console::load::ConsoleState;
use crate::console::query::LIMIT_MAX;
use crate::storage::ACTION_REASON_CHARS_MAX;
use crate::storage::reader::RestoreKind;
use crate::views::Moment;
use crate::views::mix::Window;
use reconciler_jobs::reading::posture::{Posture, PostureReason};
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RunOutcome;

/// One thing that can be asked for.
pub(super) struct Operation {
    /// `get` or `post`, which changes something.
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Parameters,
    pub(super) answer: fn(&mut SchemaGenerator) -> Schema,
    pub(super) route: fn() -> MethodRouter<Arc<ConsoleState>>,
}

/// What an operation takes.
#[derive(Clone, Copy)]
pub(super) enum Parameters {
    None,
    /// An id in the path.
    Id(&'static str),
    /// An id in the path, and a reason in the body.
    IdAndReason(&'static str),
    /// Filters, and where to go on.
    Runs,
    /// A workspace, and where to go on.
    Environments,
    /// A place, a kind, and where to go on.
    Restores,
}

/// The schema of an answer.
pub(super) fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The description of `operations`.
pub(super) fn document(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let paths: Map<_, _> = operations
        .iter()
        .map(|operation| {
            let described = operation.describe(&mut generator);
            (
                operation.path.to_owned(),
                json!({ operation.method: described }),
            )
        })
        .collect();
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "restore-reconciler",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Was this restore proven, and if not, what is missing? Completion and evidence do \
                            not prove environment recovery.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": { "Problem": problem() },
        },
    })
}

/// RFC 9457.
fn problem() -> Value {
    json!({
        "description": "Why there is no answer.",
        "content": { "application/problem+json": { "schema": {
            "type": "object",
            "required": ["type", "title", "status"],
            "properties": {
                "type": { "type": "string", "format": "uri" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "detail": { "type": "string" },
            },
        } } },
    })
}

impl Operation {
    fn describe(&self, generator: &mut SchemaGenerator) -> Value {
        let answer = (self.answer)(generator);
        let content = json!({ "application/json": { "schema": answer } });
        let problem = || json!({ "$ref": "#/components/responses/Problem" });
        let mut responses = Map::new();
        if self.method == "post" {
            let taken = json!({
                "description": "It was taken; where to look is in Location.",
                "content": content,
                "headers": { "Location": { "schema": { "type": "string" } } },
            });
            responses.insert("202".to_owned(), taken);
        } else {
            let found = json!({
                "description": self.summary,
                "content": content,
                "headers": { "ETag": { "schema": { "type": "string" } } },
            });
            let same =
                json!({ "description": "What If-None-Match names is still what would be said." });
            responses.insert("200".to_owned(), found);
            responses.insert("304".to_owned(), same);
        }
        for status in [
            "400", "401", "403", "404", "413", "414", "429", "431", "500", "503",
        ] {
            responses.insert(status.to_owned(), problem());
        }
        let mut described = json!({
            "operationId": self.id,
            "summary": self.summary,
            "parameters": self.parameters.describe(generator),
            "responses": responses,
        });
        if matches!(self.parameters, Parameters::IdAndReason(_))
            && let Some(members) = described.as_object_mut()
        {
            members.insert("requestBody".to_owned(), reasoned());
        }
        described
    }
}

/// How many entries a page has.
fn limit() -> Value {
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX });
    parameter("limit", "How many", schema)
}

/// One line that is not blank.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";

/// A body that says why.
fn reasoned() -> Value {
    let reason = json!({
        "type": "string",
        "minLength": 1,
        "maxLength": ACTION_REASON_CHARS_MAX,
        "pattern": LINE,
    });
    let schema = json!({
        "type": "object",
        "required": ["reason"],
        "properties": { "reason": reason },
        "additionalProperties": false,
    });
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

impl Parameters {
    fn describe(self, generator: &mut SchemaGenerator) -> Vec<Value> {
        match self {
            Self::None => Vec::new(),
            Self::Id(name) | Self::IdAndReason(name) => vec![json!({
                "name": name, "in": "path", "required": true, "schema": id(),
            })],
            Self::Runs => vec![
                parameter("workspace", "Of this workspace", id()),
                parameter("environment", "Of this environment", id()),
                parameter("outcome", "Whose row has this outcome", outcomes()),
                parameter(
                    "reason",
                    "Whose verdict, opinion or entry on the watch list has this reason",
                    of::<ReasonCode>(generator),
                ),
                parameter(
                    "state",
                    "Whose restore reads so now",
                    of::<ResultState>(generator),
                ),
                parameter(
                    "undecided",
                    "That are queued or running",
                    json!({ "type": "boolean" }),
                ),
                parameter(
                    "unproven",
                    "That say they succeeded where that is not proven",
                    json!({ "type": "boolean" }),
                ),
                parameter(
                    "orphaned",
                    "That are open, of environments that were deleted or moved; for whoever may see all",
                    json!({ "type": "boolean" }),
                ),
                parameter("older_than", "Created so long ago or longer", age()),
                parameter("younger_than", "Created less long ago", age()),
                parameter(
                    "created_from",
                    "Created then or later",
                    of::<Moment>(generator),
                ),
                parameter(
                    "created_before",
                    "Created before then",
                    of::<Moment>(generator),
                ),
                parameter(
                    "order",
                    "Which come first",
                    json!({ "type": "string", "enum": ["newest", "oldest"] }),
                ),
                // `above` leads back, and is only ever followed: it cannot stand beside `below`.
                parameter("below", "Where the page before ended", id()),
                limit(),
            ],
            Self::Restores => vec![
                parameter("workspace", "Of this workspace", id()),
                parameter("environment", "Of this environment", id()),
                parameter("kind", "Of this kind", of::<RestoreKind>(generator)),
                parameter(
                    "recovery_posture_reason",
                    "Why somebody comes from a recovery posture; the answer explains it",
                    of::<PostureReason>(generator),
                ),
                parameter("below", "Where the page before ended", id()),
                limit(),
            ],
            Self::Environments => vec![
                parameter("workspace", "Of this workspace", id()),
                parameter(
                    "posture",
                    "In this recovery posture",
                    of::<Posture>(generator),
                ),
                parameter(
                    "order",
                    "Which come first, page by page; within a page they are grouped by workspace",
                    json!({ "type": "string", "enum": ["workspace", "urgent"] }),
                ),
                parameter(
                    "window",
                    "How far back verdicts are counted",
                    json!({ "type": "string", "enum": Window::ALL.map(Window::word) }),
                ),
                parameter(
                    "after",
                    "Where the page before ended",
                    json!({ "type": "string", "pattern": "^[1-9][0-9]{0,17}\\.[1-9][0-9]{0,17}$" }),
                ),
            ],
        }
    }
}

fn parameter(name: &str, description: &str, schema: impl Into<Value>) -> Value {
    let schema: Value = schema.into();
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

fn id() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX })
}

/// Every outcome that can be asked for; one that this version does not know cannot.
fn outcomes() -> Value {
    let words = [
        RunOutcome::Pending,
        RunOutcome::Succeeded,
        RunOutcome::PartiallySucceeded,
        RunOutcome::Blocked,
        RunOutcome::Failed,
    ];
    json!({ "type": "string", "enum": words })
}

/// An age as people write it.
fn age() -> Value {
    json!({ "type": "string", "pattern": "^[1-9][0-9]{0,3}[smhd]$", "examples": ["90m", "7d"] })
}
