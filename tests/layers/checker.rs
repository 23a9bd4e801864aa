//! The judgement: holds what one file writes against the table.

use std::collections::HashMap;
use std::fmt;

use proc_macro2::Span;
use syn::visit::{self, Visit};

use crate::paths::{Written, attrs_of, flatten, in_tokens, is_test_only};
use crate::table::{IMPURE, MAY_PRINT, SQL, SQL_ROOM, Storey, TABLE, row_of};

/// One violation.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A file and where it stands. The crate root has an empty module path.
pub(crate) struct Site {
    pub(crate) file: String,
    pub(crate) module: Vec<String>,
    pub(crate) in_test: bool,
}

/// Adds what `file` does against the table to `findings`.
pub(crate) fn check(site: &Site, file: &syn::File, findings: &mut Vec<Finding>) {
    let mut names = Names::default();
    names.visit_file(file);
    let mut checker = Checker {
        site,
        module: site.module.clone(),
        in_test: site.in_test,
        names: names.0,
        findings: Vec::new(),
    };
    checker.visit_file(file);
    checker.findings.sort();
    checker.findings.dedup();
    findings.extend(checker.findings);
}

/// What the file's `use` items call the things of other crates.
#[derive(Default)]
struct Names(HashMap<String, Vec<String>>);

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut written = Vec::new();
        flatten(&item.tree, &[], &mut written);
        for path in written {
            let own = ["crate", "super", "self"].contains(&path.segments[0].as_str());
            if let (Some(alias), false) = (path.alias, own) {
                self.0.insert(alias, path.segments);
            }
        }
    }
}

struct Checker<'a> {
    site: &'a Site,
    module: Vec<String>,
    in_test: bool,
    names: HashMap<String, Vec<String>>,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn find(&mut self, span: Span, what: String) {
        let (file, line) = (self.site.file.clone(), span.start().line);
        self.findings.push(Finding { file, line, what });
    }

    fn room(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    fn is_pure(&self) -> bool {
        let row = self.room().and_then(row_of);
        row.is_some_and(|row| row.storey <= Storey::Pure) && !self.in_test
    }

    fn path(&mut self, path: &Written, imported: bool) {
        let first = path.segments[0].as_str();
        match first {
            "crate" | "super" | "self" => self.own_path(path, imported),
            "retentiond" => self.target(&path.segments[1..], path.span, imported),
            _ => {
                let full = match self.names.get(first) {
                    Some(name) if !imported => [name, &path.segments[1..]].concat(),
                    Some(_) | None => path.segments.clone(),
                };
                self.foreign(&full, path.span);
            }
        }
    }

    /// `crate::…`, `self::…`, `super::super::…`: where it leads, from the crate root.
    fn own_path(&mut self, path: &Written, imported: bool) {
        let mut at = self.module.clone();
        let mut rest = path.segments.as_slice();
        while let Some((word, others)) = rest.split_first() {
            match word.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => break,
            }
            rest = others;
        }
        at.extend_from_slice(rest);
        self.target(&at, path.span, imported);
    }

    fn target(&mut self, target: &[String], span: Span, imported: bool) {
        let Some(room) = self.room().map(str::to_owned) else {
            return;
        };
        let Some(to) = target.first() else {
            // `pub(crate)` names the root and takes nothing from it.
            if imported {
                self.find(span, format!("{room} imports the whole crate"));
            }
            return;
        };
        if *to == room {
            return;
        }
        if to == "sandbox" && self.in_test && row_of(&room).is_some_and(|row| row.storey > Storey::Pure) {
            return;
        }
        let may = row_of(&room).is_some_and(|row| row.may_use.contains(&to.as_str()));
        if !may {
            let written = target.join("::");
            let why = why_not(&room, to);
            self.find(span, format!("{room} uses crate::{written}: {why}"));
        }
    }

    fn foreign(&mut self, path: &[String], span: Span) {
        let Some(room) = self.room().map(str::to_owned) else {
            return;
        };
        if room != SQL_ROOM && SQL.iter().any(|banned| reaches(path, banned)) {
            self.find(
                span,
                format!("{room} uses {}: SQL lives in src/{SQL_ROOM}", path.join("::")),
            );
        } else if self.is_pure() && IMPURE.iter().any(|banned| reaches(path, banned)) {
            let written = path.join("::");
            self.find(
                span,
                format!("{room} uses {written}: its storey has no I/O, clock or async"),
            );
        }
    }

    fn asynchronous(&mut self, span: Span, word: &str) {
        if self.is_pure() {
            let room = self.module[0].clone();
            self.find(span, format!("{room} has `{word}`: its storey has no async"));
        }
    }

    fn macro_name(&mut self, name: &str, span: Span) {
        let prints = ["print", "println", "eprint", "eprintln", "dbg"].contains(&name);
        let room = self.room().unwrap_or("the crate root").to_owned();
        if prints && !self.in_test && !MAY_PRINT.contains(&room.as_str()) {
            self.find(span, format!("{room} prints with {name}!: only the CLI does"));
        }
    }

    fn attributed(&mut self, attrs: &[syn::Attribute], go: impl FnOnce(&mut Self)) {
        let before = self.in_test;
        self.in_test |= is_test_only(attrs);
        go(self);
        self.in_test = before;
    }
}

/// Whether `path` names `banned`, something in it, or a glob that brings it in.
fn reaches(path: &[String], banned: &[&str]) -> bool {
    let same = path.iter().zip(banned).take_while(|(a, b)| a == b).count();
    same == banned.len() || (path.len() == same + 1 && path[same] == "*")
}

fn why_not(room: &str, to: &str) -> &'static str {
    match (row_of(room), row_of(to)) {
        (None, _) => "this room has no row in the table",
        (_, None) => "that is no room of the table",
        (Some(_), Some(to)) if to.storey == Storey::Apart => "the sandbox stands apart",
        (Some(row), Some(_)) if row.storey == Storey::Apart => "the sandbox uses nothing but itself",
        (Some(row), Some(to)) if to.storey > row.storey => "the import climbs",
        (Some(row), Some(to)) if to.storey == row.storey => "the import goes sideways",
        (Some(_), Some(_)) => "it is not in the room's row",
    }
}

impl<'ast> Visit<'ast> for Checker<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.attributed(attrs_of(item), |checker| visit::visit_item(checker, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.attributed(&item.attrs, |checker| visit::visit_impl_item_fn(checker, item));
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        if self.module.is_empty() && !TABLE.iter().any(|row| row.room == name) {
            self.find(
                item.ident.span(),
                format!("the room {name} has no row in the table"),
            );
        }
        if item.attrs.iter().any(|attr| attr.path().is_ident("path")) {
            self.find(
                item.ident.span(),
                format!("the module {name} hides its file behind #[path]"),
            );
        }
        self.module.push(name);
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut written = Vec::new();
        flatten(&item.tree, &[], &mut written);
        written.iter().for_each(|path| self.path(path, true));
        if self.module.is_empty() {
            self.find(
                item.use_token.span,
                "the crate root holds rooms only, it imports nothing".to_owned(),
            );
        }
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.foreign(&[item.ident.to_string()], item.ident.span());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        let span = path.segments[0].ident.span();
        if segments.len() > 1 || self.names.contains_key(&segments[0]) {
            self.path(
                &Written {
                    segments,
                    alias: None,
                    span,
                },
                false,
            );
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        if let Some(name) = item.path.segments.last() {
            self.macro_name(&name.ident.to_string(), name.ident.span());
        }
        let mut written = Vec::new();
        in_tokens(item.tokens.clone(), &mut written);
        for mut path in written {
            if path.segments.last().is_some_and(|last| last == "!") {
                path.segments.pop();
                self.macro_name(&path.segments[path.segments.len() - 1].clone(), path.span);
            }
            match path.segments.as_slice() {
                [word] if word == "async" || word == "await" => self.asynchronous(path.span, word),
                [_] => {}
                _ => self.path(&path, false),
            }
        }
        visit::visit_macro(self, item);
    }

    fn visit_signature(&mut self, item: &'ast syn::Signature) {
        if let Some(word) = &item.asyncness {
            self.asynchronous(word.span, "async fn");
        }
        visit::visit_signature(self, item);
    }

    fn visit_expr_await(&mut self, item: &'ast syn::ExprAwait) {
        self.asynchronous(item.await_token.span, ".await");
        visit::visit_expr_await(self, item);
    }

    fn visit_expr_async(&mut self, item: &'ast syn::ExprAsync) {
        self.asynchronous(item.async_token.span, "async");
        visit::visit_expr_async(self, item);
    }

    fn visit_expr_closure(&mut self, item: &'ast syn::ExprClosure) {
        if let Some(word) = &item.asyncness {
            self.asynchronous(word.span, "async");
        }
        visit::visit_expr_closure(self, item);
    }
}
