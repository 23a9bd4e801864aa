//! The concept as one page, on the same sheet as the report.

use maud::{Markup, html};

use super::markdown::MISSING;
use super::{Concept, Rule};
use crate::report::html::sheet;
use crate::report::words::Wall;

/// The whole page.
#[must_use]
pub fn html(concept: &Concept) -> String {
    let wall = Wall::new(&concept.timezone);
    let or_missing = |text: &Option<String>| match text {
        Some(text) => html! { (text) },
        None => missing(),
    };
    let body = html! {
        header {
            p.kind { "Art. 30(1)(f) GDPR, after DIN 66398" }
            h1 { "Deletion concept" }
            p.period { "as of " (wall.day_text(concept.made_at)) }
            dl {
                dt { "Controller" } dd { (or_missing(&concept.controller)) }
                dt { "Contact" } dd { (or_missing(&concept.contact)) }
                dt { "Processor" } dd { (concept.processor) }
                dt { "Made" } dd { (wall.time(concept.made_at)) ", " (concept.timezone) ", by " (concept.build) }
                dt { "Rules" } dd { code { (concept.rules) } }
            }
        }
        main {
            (sheet::section("general", "What holds for every rule", &html! {
                ul { @for sentence in &concept.general { li { (sentence) } } }
            }))
            (rules("policies", "Deletion rules", &concept.policies))
            (rules("floors", "Minimum periods", &concept.floors))
        }
    };
    sheet::page("Deletion concept", &body)
}

fn missing() -> Markup {
    html! { span.missing { (MISSING) } }
}

fn rules(id: &str, title: &str, rules: &[Rule]) -> Markup {
    let content = html! {
        @if rules.is_empty() { p.none { "None." } }
        @for rule in rules {
            div.rule {
                h3 { (rule.name) }
                dl {
                    @for entry in &rule.entries {
                        dt { (entry.name) }
                        dd {
                            @match &entry.says[..] {
                                [] => (missing()),
                                says => { @for line in says { div { (line) } } }
                            }
                        }
                    }
                }
            }
        }
    };
    sheet::section(id, title, &content)
}
