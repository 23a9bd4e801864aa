//! The two text forms: Prometheus 0.0.4 and OpenMetrics 1.0. They differ in the name of a counter's family,
//! and in how they end.

use std::fmt::Write;

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// One line: at most one label, and a value.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) label: Option<(&'static str, String)>,
    pub(super) value: f64,
}

/// The samples of one name.
#[derive(Debug, Clone)]
pub(super) struct Family {
    /// As it is asked for: a counter's ends in `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// One line, ends in a full stop.
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// The form that a scraper asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Prometheus,
    OpenMetrics,
}

impl Form {
    /// By the `Accept` header (RFC 9110): OpenMetrics only where it is preferred by name.
    pub(super) fn wished(accept: &str) -> Self {
        let (mut open, mut plain) = (0.0_f32, 0.0_f32);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            match media.as_str() {
                "application/openmetrics-text" => open = open.max(quality),
                "text/plain" => plain = plain.max(quality),
                _ => {}
            }
        }
        if open > plain {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    pub(super) fn render(self, families: &[Family]) -> String {
        let mut out = String::with_capacity(16 * 1024);
        for family in families {
            let (name, kind) = (self.family_name(family), family.kind.name());
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {}", family.help);
            let _ = writeln!(out, "# TYPE {name} {kind}");
            for sample in &family.samples {
                let _ = match &sample.label {
                    Some((label, value)) => {
                        let value = escaped(value);
                        writeln!(out, "{}{{{label}=\"{value}\"}} {}", family.name, sample.value)
                    }
                    None => writeln!(out, "{} {}", family.name, sample.value),
                };
            }
        }
        if self == Self::OpenMetrics {
            out.push_str("# EOF\n");
        }
        out
    }

    fn family_name(self, family: &Family) -> &'static str {
        match self {
            Self::Prometheus => family.name,
            Self::OpenMetrics => family.name.strip_suffix("_total").unwrap_or(family.name),
        }
    }
}

/// A label's value between its quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_given_to_whoever_prefers_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, form) in [
            (prometheus, Form::OpenMetrics),
            ("application/openmetrics-text", Form::OpenMetrics),
            (
                "Application/OpenMetrics-Text; q=0.9, text/plain; q=0.8",
                Form::OpenMetrics,
            ),
            ("text/plain;version=0.0.4", Form::Prometheus),
            ("application/openmetrics-text;q=0.1,text/plain", Form::Prometheus),
            ("text/html,*/*;q=0.8", Form::Prometheus),
            ("application/openmetrics-text;q=0", Form::Prometheus),
            ("", Form::Prometheus),
        ] {
            assert_eq!(Form::wished(accept), form, "{accept}");
        }
    }

    #[test]
    fn both_forms_name_a_counter_as_their_standard_says_and_escape_what_has_to_be() {
        let families = [Family {
            name: "x_files_total",
            kind: Kind::Counter,
            help: "Files.",
            samples: vec![
                Sample {
                    label: Some(("policy", "a \"b\" \\ c\nd".to_owned())),
                    value: 7.0,
                },
                Sample {
                    label: None,
                    value: 1_764_020_122.125,
                },
            ],
        }];
        let lines = "x_files_total{policy=\"a \\\"b\\\" \\\\ c\\nd\"} 7\nx_files_total 1764020122.125\n";
        assert_eq!(
            Form::Prometheus.render(&families),
            format!("# HELP x_files_total Files.\n# TYPE x_files_total counter\n{lines}")
        );
        assert_eq!(
            Form::OpenMetrics.render(&families),
            format!("# HELP x_files Files.\n# TYPE x_files counter\n{lines}# EOF\n")
        );
    }
}
