//! The OpenAPI document of the intake endpoint, made from the types that are read and written.

use std::sync::LazyLock;

use axum::Json;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::intake::Problem;
use crate::intake::desk::{EventBody, FileRow, HoldBody, Placed, ResponseBody, Taken};

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);

pub(super) async fn document() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

fn make() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let row = reference::<FileRow>(&mut generator);
    let rows = json!({ "oneOf": [row, { "type": "array", "items": row }] });
    let taken = reference::<Taken>(&mut generator);
    let problem = reference::<Problem>(&mut generator);
    let placed = reference::<Placed>(&mut generator);
    let response = reference::<ResponseBody>(&mut generator);
    let hold = reference::<HoldBody>(&mut generator);
    let event = reference::<EventBody>(&mut generator);
    let noted = json!({
        "type": "object",
        "properties": { "result": { "enum": ["new", "known", "corrected"] } },
        "required": ["result"],
    });
    let keep_good = json!([{
        "name": "keep_good", "in": "query", "required": false, "schema": { "type": "boolean" },
        "description": "Keep the good rows although others are refused.",
    }]);
    let reference = json!([{
        "name": "reference", "in": "path", "required": true, "schema": { "type": "string" },
        "description": "Your own reference of the hold, such as a case number.",
    }]);
    let mut files = operation(
        "Record files",
        &json!({
            "application/json": { "schema": rows },
            "application/x-ndjson": { "schema": row },
        }),
        &[("200", &taken)],
        &problem,
    );
    files["parameters"] = keep_good;
    let mut holds = operation(
        "Place a hold",
        &body(&hold),
        &[("200", &placed), ("201", &placed)],
        &problem,
    );
    holds["parameters"] = reference;
    let paths = json!({
        "/v1/files": { "post": files },
        "/v1/responses": {
            "post": operation("Record an upload's answer", &body(&response), &[("200", &taken)], &problem),
        },
        "/v1/holds/{reference}": { "put": holds },
        "/v1/events": {
            "post": operation("Record a start event", &body(&event), &[("200", &noted)], &problem),
        },
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "retentiond intake",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every answer is given after the ledger's commit. All calls may be repeated.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }, {}],
    })
}

fn reference<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().into()
}

fn body(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn operation(summary: &str, content: &Value, answers: &[(&str, &Value)], problem: &Value) -> Value {
    let mut responses = serde_json::Map::new();
    for (status, schema) in answers {
        let answer = json!({ "description": "Done, durably.", "content": body(schema) });
        responses.insert((*status).to_owned(), answer);
    }
    for (status, words) in [
        ("400", "The body is wrong as a whole."),
        ("401", "The token is missing or wrong."),
        ("409", "It contradicts what is on record."),
        ("413", "The body is too long."),
        ("415", "The body is of another type."),
        ("422", "Rows are wrong; nothing was kept."),
        ("503", "Busy, or the ledger cannot take it: send the same again."),
    ] {
        let answer = json!({ "description": words, "content": body(problem) });
        responses.insert(status.to_owned(), answer);
    }
    json!({
        "summary": summary,
        "requestBody": { "required": true, "content": content },
        "responses": responses,
    })
}
