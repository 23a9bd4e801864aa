//! The concept as Markdown, for a wiki or a repository.

use super::{Concept, Rule};
use crate::report::words::Wall;

/// What stands for an entry that nobody stated.
pub(super) const MISSING: &str = "not stated";

/// The whole of it.
#[must_use]
pub fn markdown(concept: &Concept) -> String {
    let wall = Wall::new(&concept.timezone);
    let or_missing = |text: &Option<String>| {
        text.as_ref()
            .map_or_else(|| format!("*{MISSING}*"), |text| plain(text))
    };
    let mut out = format!(
        "# Deletion concept\n\n\
         - **Controller:** {}\n- **Contact:** {}\n- **Processor:** {}\n- **Made:** {} ({}), {}\n- **Rules:** `{}`\n\n\
         ## What holds for every rule\n\n",
        or_missing(&concept.controller),
        or_missing(&concept.contact),
        plain(&concept.processor),
        wall.time_text(concept.made_at),
        concept.timezone,
        concept.build,
        concept.rules
    );
    for sentence in &concept.general {
        out.push_str(&format!("- {}\n", plain(sentence)));
    }
    for (title, rules) in [
        ("Deletion rules", &concept.policies),
        ("Minimum periods", &concept.floors),
    ] {
        out.push_str(&format!("\n## {title}\n"));
        if rules.is_empty() {
            out.push_str("\nNone.\n");
        }
        rules.iter().for_each(|rule| section(&mut out, rule));
    }
    out
}

fn section(out: &mut String, rule: &Rule) {
    out.push_str(&format!("\n### {}\n\n", plain(&rule.name)));
    for entry in &rule.entries {
        match &entry.says[..] {
            [] => out.push_str(&format!("- **{}:** *{MISSING}*\n", entry.name)),
            [one] => out.push_str(&format!("- **{}:** {}\n", entry.name, plain(one))),
            several => {
                out.push_str(&format!("- **{}:**\n", entry.name));
                for line in several {
                    out.push_str(&format!("  - {}\n", plain(line)));
                }
            }
        }
    }
}

/// Text that Markdown takes for nothing else, on one line.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '&' | '~' => {
                shown.push('\\');
                shown.push(c);
            }
            '\n' | '\r' | '\t' => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}
