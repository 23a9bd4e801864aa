//! What PostgreSQL's complaints mean to a caller, by SQLSTATE
//! (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).

use std::io::ErrorKind;

use rustls::CertificateError;

use super::session::Address;
pub(super) use crate::ledger::common::problem::{conflict, damaged, ensure_rows};
use crate::ledger::{LedgerError, Refusal};

/// For `map_err`: an error of the database, met while doing `context`.
pub(super) fn during(context: &'static str) -> impl FnOnce(sqlx::Error) -> LedgerError {
    move |error| classify(context, error)
}

/// Whether the connection is gone, and not the statement at fault.
pub(super) fn is_cut(error: &sqlx::Error) -> bool {
    if let Some(code) = code(error) {
        // Connection exceptions; the server shuts down, crashed, or is not up yet; it ended an idle session.
        return code.starts_with("08")
            || matches!(code.as_str(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03");
    }
    matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)
    )
}

/// For `map_err`: why there is no connection to the database at `address`.
pub(super) fn entering(address: &Address) -> impl FnOnce(sqlx::Error) -> LedgerError {
    move |error| {
        let name = &address.name;
        let code = code(&error).unwrap_or_default();
        let on_the_way = on_the_way(&error, address.options.get_socket().is_some());
        let (why, next) = match code.as_str() {
            "3D000" => (
                Refusal::Database,
                "make it with `createdb --encoding=UTF8`, or correct `url` in [ledger]",
            ),
            "42501" => (Refusal::Rights, GRANT),
            code if code.starts_with("28") => (
                Refusal::Password,
                "look at the user in `url` and at `password_file` in [ledger], and at the server's pg_hba.conf",
            ),
            _ => match on_the_way {
                Some(next) => (Refusal::Certificate, next),
                None => (
                    Refusal::Unreachable,
                    "is the server up, and `url` in [ledger] its address?",
                ),
            },
        };
        LedgerError::Refused {
            why,
            problem: format!("{name}: {error}; {next}"),
        }
    }
}

/// What to do where the way to the server is not proof against others; `None` for what is no matter of encryption.
fn on_the_way(error: &sqlx::Error, by_socket: bool) -> Option<&'static str> {
    let found = if let sqlx::Error::Tls(error) = error {
        if error.to_string().contains("not support") {
            return Some(
                "turn on `ssl` in the server's postgresql.conf, with a certificate for the name in `url`; beyond this machine nothing is sent in the clear",
            );
        }
        error.downcast_ref::<rustls::Error>()
    } else if let sqlx::Error::Io(error) = error {
        let found = error.get_ref().and_then(|inner| inner.downcast_ref());
        // A file that the URL names; beside a socket it is the socket.
        let file = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied);
        if found.is_none() {
            return (file && !by_socket).then_some(OWN_FILES);
        }
        found
    } else {
        return matches!(error, sqlx::Error::Configuration(_)).then_some(OWN_FILES);
    };
    Some(match found {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => {
            "the server's certificate is for another name: write a name that is in it into `url` in [ledger], or give the server one for this name"
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => "renew the server's certificate; if it is new, look at this machine's clock",
        _ => "name the CA in the `url` of [ledger]: `?sslrootcert=/etc/retentiond/ledger-ca.pem`",
    })
}

const OWN_FILES: &str = "look at the files that `sslrootcert`, `sslcert` and `sslkey` name in the `url` of [ledger]: this user must be able to read them";

/// What a user without rights needs.
const GRANT: &str = "the user must own the database, or be given `GRANT CONNECT, CREATE ON DATABASE`; in a ledger that another user made, all of schema `retentiond`";

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

fn classify(context: &'static str, error: sqlx::Error) -> LedgerError {
    if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) {
        return damaged(format!("{context}: {error}"));
    }
    if is_cut(&error) {
        return LedgerError::NotWritable {
            problem: format!("the connection to the server failed: {context}: {error}"),
        };
    }
    let other = |error: sqlx::Error| LedgerError::Database {
        context,
        source: Box::new(error),
    };
    let Some(code) = code(&error) else {
        return other(error);
    };
    let problem = format!("{context}: {error}");
    match (&code[..2.min(code.len())], code.as_str()) {
        // Serialization, deadlock, lock not available in time, statement cancelled.
        (_, "40001" | "40P01" | "55P03" | "57014") => LedgerError::Busy,
        // Data or index corrupted; an integrity constraint.
        ("23", _) | (_, "XX001" | "XX002") => damaged(problem),
        // Authorization; disk full, memory, connections; a standby; I/O.
        ("28" | "53" | "58", _) | (_, "25006") => LedgerError::NotWritable { problem },
        (_, "42501") => LedgerError::Refused {
            why: Refusal::Rights,
            problem: format!("{problem}; {GRANT}"),
        },
        _ => other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_cut_is_told_from_a_statement_at_fault() {
        let cut = sqlx::Error::Io(std::io::ErrorKind::UnexpectedEof.into());
        assert!(is_cut(&cut));
        assert!(matches!(during("testing")(cut), LedgerError::NotWritable { .. }));
        assert!(!is_cut(&sqlx::Error::RowNotFound));
    }
}
