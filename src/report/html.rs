//! The report as one page: for the screen in light and dark, for paper on A4.
//!
//! Drawn on the server: no script, nothing from elsewhere. The page carries its style and a content policy that
//! lets in this style and nothing else, so that a copy in a mail or an archive says what it said.

mod chart;
mod cover;
mod exempt;
mod figures;
mod record;
pub(super) mod sheet;

use maud::html;

use super::document::Report;
use super::words::Wall;

/// The whole page.
#[must_use]
pub fn html(report: &Report) -> String {
    let wall = Wall::new(&report.cover.timezone);
    let title = format!(
        "Deletion report, {} to {}",
        wall.day_text(report.cover.from),
        wall.day_before(report.cover.to)
    );
    let body = html! {
        (cover::cover(report, &wall))
        main {
            (cover::summary(report))
            (figures::policies(report))
            (figures::open(report))
            (figures::otherwise(report))
            (chart::timeline(&report.timeline))
            (record::exceptions(report, &wall))
            (record::sweeps(report, &wall))
            (record::gaps(report, &wall))
            (record::stops(report, &wall))
            (record::rules(report, &wall))
            (record::approvals(report, &wall))
            (exempt::holds(report, &wall))
            (exempt::erasures(report, &wall))
            (exempt::unowned(report, &wall))
            (exempt::limits(report))
            (chart::steps(&report.timeline))
        }
    };
    sheet::page(&title, &body)
}
