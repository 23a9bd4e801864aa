//! A copy that is cut off at a step.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use retentiond::ledger::LedgerError;
use retentiond::ledger::copy::{Copied, CopyStep, copy};

use super::places::{Elsewhere, Source};

/// Copies in pages of so many rows until the `count`-th step that `is_one`, and then drops it as a kill does: in the middle of
/// what it waits for next. `None` where it was dropped.
pub(super) async fn cut_at(
    (source, target): (&Source, &Elsewhere),
    page: usize,
    count: usize,
    is_one: impl Fn(&CopyStep) -> bool + Sync,
) -> Option<Result<Copied, LedgerError>> {
    let heard = AtomicUsize::new(0);
    let hear = |step: CopyStep| {
        if is_one(&step) {
            heard.fetch_add(1, Ordering::SeqCst);
        }
    };
    let options = super::options(page);
    let mut copying = pin!(copy(&source.place, &target.place, &options, &hear));
    std::future::poll_fn(|context| match copying.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if heard.load(Ordering::SeqCst) >= count => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
