//! What a request through the gateway asks for, told by its method and path.

use crate::model::Module;

/// The calls that bear on the ledger, and all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `uploadFiles`: its answer names files that nobody knows yet.
    Upload(Module),
    /// `getResults`, `getBatchResults`: what is there, and what became of it.
    Results(Module),
    /// `deleteFiles`.
    DeleteFiles,
    /// `deleteBatch`.
    DeleteBatch,
    /// `deleteClassification`.
    DeleteClassification,
    /// `deleteExtraction`: a file, a batch, or the template with everything in it.
    DeleteExtraction,
    /// Everything else.
    Other,
}

impl Call {
    /// By the path below the base address. Read as a server like the vendor's reads it: letters of
    /// either case, a slash more or less, escapes resolved. Rather one upload too many than one too few.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Self {
        let words: Vec<String> = path
            .split('/')
            .map(decoded)
            .filter(|word| !word.is_empty())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let module = if words.contains(&"documentclassification") {
            Module::Classification
        } else {
            Module::Extraction
        };
        match (method, words.last().copied().unwrap_or_default()) {
            ("POST" | "PUT", "uploadfiles") => Self::Upload(module),
            ("POST", "getresults" | "getbatchresults") => Self::Results(module),
            ("DELETE", "deletefiles") if module == Module::Classification => Self::DeleteFiles,
            ("DELETE", "deletebatch") if module == Module::Classification => Self::DeleteBatch,
            ("DELETE", "deleteclassification") => Self::DeleteClassification,
            ("DELETE", "deleteextraction") => Self::DeleteExtraction,
            _ => Self::Other,
        }
    }

    /// The call's name for the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upload(_) => "uploadFiles",
            Self::Results(Module::Classification) => "getResults",
            Self::Results(Module::Extraction) => "getBatchResults",
            Self::DeleteFiles => "deleteFiles",
            Self::DeleteBatch => "deleteBatch",
            Self::DeleteClassification => "deleteClassification",
            Self::DeleteExtraction => "deleteExtraction",
            Self::Other => "other",
        }
    }
}

/// One word of a path, its escapes resolved, in lower case.
fn decoded(word: &str) -> String {
    let bytes = word.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(byte.unwrap_or(bytes[at]).to_ascii_lowercase());
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_a_server_takes_for_an_upload_is_one() {
        for (path, module) in [
            ("/documentClassification/uploadFiles", Module::Classification),
            ("/documentclassification/UPLOADFILES/", Module::Classification),
            ("//documentClassification//uploadFiles", Module::Classification),
            ("/uploadFiles", Module::Extraction),
            ("/%75ploadFiles", Module::Extraction),
            ("/api/v1/uploadFiles", Module::Extraction),
        ] {
            assert_eq!(Call::of("POST", path), Call::Upload(module), "{path}");
        }
        for (method, path) in [
            ("GET", "/uploadFiles"),
            ("POST", "/uploadFiles2"),
            ("POST", "/"),
            ("POST", "/%zz"),
            ("POST", "/upload%"),
        ] {
            assert_eq!(Call::of(method, path), Call::Other, "{method} {path}");
        }
    }

    #[test]
    fn reads_and_deletes_are_told_apart() {
        for (method, path, call) in [
            (
                "POST",
                "/documentClassification/getResults",
                Call::Results(Module::Classification),
            ),
            ("POST", "/getBatchResults", Call::Results(Module::Extraction)),
            ("DELETE", "/documentClassification/deleteFiles", Call::DeleteFiles),
            ("DELETE", "/documentClassification/deleteBatch", Call::DeleteBatch),
            (
                "DELETE",
                "/documentClassification/deleteClassification",
                Call::DeleteClassification,
            ),
            ("DELETE", "/deleteExtraction", Call::DeleteExtraction),
            ("POST", "/deleteExtraction", Call::Other),
            ("GET", "/credits", Call::Other),
        ] {
            assert_eq!(Call::of(method, path), call, "{method} {path}");
        }
    }
}
