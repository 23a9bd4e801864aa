//! The sheet that report and concept are drawn on: head, style, content policy, and tables that fit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// The whole of it; it stands between the tags as it is here.
const STYLE: &str = include_str!("style.css");

/// A whole page of that title.
pub(in crate::report) fn page(title: &str, body: &Markup) -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'"
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body { div.wrap { (body) } }
        }
    };
    page.into_string()
}

/// A section with a heading; `id` is its anchor.
pub(in crate::report) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            (content)
        }
    }
}

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Column {
    Text(&'static str),
    Number(&'static str),
}

/// Rows of a table that is not torn over two sheets of paper.
const SHORT: usize = 12;

/// A table that scrolls by itself where it is wider than the window; or one sentence where it has no rows.
pub(in crate::report) fn table(
    label: &str,
    columns: &[Column],
    rows: &[Vec<Markup>],
    without: &str,
) -> Markup {
    html! {
        @if rows.is_empty() {
            p.none { (without) }
        } @else {
            div.scroll.short[rows.len() <= SHORT] role="region" aria-label=(format!("Table: {label}")) tabindex="0" {
                table {
                    thead {
                        tr {
                            @for column in columns {
                                @match column {
                                    Column::Text(name) => { th scope="col" { (name) } }
                                    Column::Number(name) => { th.n scope="col" { (name) } }
                                }
                            }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (at, (cell, column)) in row.iter().zip(columns).enumerate() {
                                    @match (at, column) {
                                        (0, _) => { th scope="row" { (cell) } }
                                        (_, Column::Text(_)) => { td { (cell) } }
                                        (_, Column::Number(_)) => { td.n { (cell) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A cell of plain text.
pub(in crate::report) fn text(text: &str) -> Markup {
    html! { (text) }
}
