//! What runs a transaction in a task of its own, whatever stands behind it.

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::ledger::LedgerError;

/// What a transaction does.
pub(in crate::ledger) type Body<'t, T> = BoxFuture<'t, Result<T, LedgerError>>;

/// The transaction's end of a write that asks its caller.
pub(in crate::ledger) struct Asker<Q, A> {
    question: oneshot::Sender<Q>,
    answered: oneshot::Receiver<A>,
}

impl<Q, A> Asker<Q, A> {
    /// The asker, and the caller's ends: where the question comes out, and where the answer goes in.
    pub(in crate::ledger) fn new() -> (Self, oneshot::Receiver<Q>, oneshot::Sender<A>) {
        let (question, asked) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        (Self { question, answered }, asked, answer)
    }

    /// Asks, and waits for the answer.
    pub(in crate::ledger) async fn ask(self, question: Q) -> Result<A, LedgerError> {
        let gone = || LedgerError::Conflict {
            what: "the caller".to_owned(),
            problem: "it went away before it had decided".to_owned(),
        };
        self.question.send(question).map_err(|_| gone())?;
        self.answered.await.map_err(|_| gone())
    }
}

pub(in crate::ledger) fn closed() -> LedgerError {
    LedgerError::NotWritable {
        problem: "it has been closed".to_owned(),
    }
}

pub(in crate::ledger) async fn finish<T>(task: JoinHandle<Result<T, LedgerError>>) -> Result<T, LedgerError> {
    match task.await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down; the transaction went with its connection.
        Err(error) => Err(LedgerError::Database {
            context: "waiting for a transaction",
            source: Box::new(error),
        }),
    }
}
