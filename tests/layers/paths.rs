//! Syntax, without judgement: use trees, paths in macro tokens, child modules, `#[cfg(test)]`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{Attribute, Item, Meta, UseTree};

/// A path as it is written.
pub(crate) struct Written {
    pub(crate) segments: Vec<String>,
    /// The name it is known by from here on, for `use` only.
    pub(crate) alias: Option<String>,
    pub(crate) span: Span,
}

/// A module in a file of its own.
pub(crate) struct Child {
    pub(crate) module: Vec<String>,
    pub(crate) in_test: bool,
}

/// `use a::{b, c::{self as d}, e::*}` as one path each; a glob ends in `*`.
pub(crate) fn flatten(tree: &UseTree, before: &[String], out: &mut Vec<Written>) {
    let mut push = |last: Option<String>, alias: Option<String>, span| {
        let mut segments = before.to_vec();
        segments.extend(last);
        out.push(Written {
            segments,
            alias,
            span,
        });
    };
    match tree {
        UseTree::Path(path) => {
            let before = [before, &[path.ident.to_string()]].concat();
            flatten(&path.tree, &before, out);
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, out)),
        UseTree::Glob(glob) => push(Some("*".to_owned()), None, glob.span()),
        UseTree::Name(name) if name.ident == "self" => push(None, before.last().cloned(), name.span()),
        UseTree::Name(name) => push(
            Some(name.ident.to_string()),
            Some(name.ident.to_string()),
            name.span(),
        ),
        UseTree::Rename(name) => {
            let last = (name.ident != "self").then(|| name.ident.to_string());
            push(last, Some(name.rename.to_string()), name.span());
        }
    }
}

/// Every `a::b::c` in unparsed tokens, and every lone word with the sign after it.
pub(crate) fn in_tokens(tokens: TokenStream, out: &mut Vec<Written>) {
    let mut path: Option<Written> = None;
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                let word_text = word.to_string();
                match path.as_mut().filter(|_| colons == 2) {
                    Some(path) => path.segments.push(word_text),
                    None => {
                        out.extend(path.take());
                        path = Some(Written {
                            segments: vec![word_text],
                            alias: None,
                            span: word.span(),
                        });
                    }
                }
                colons = 0;
            }
            TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
            TokenTree::Punct(sign) => {
                // `name!`: kept as a segment of its own, so that the prints of nested macros are seen.
                if sign.as_char() == '!'
                    && let Some(path) = &mut path
                {
                    path.segments.push("!".to_owned());
                }
                out.extend(path.take());
                colons = 0;
            }
            TokenTree::Group(group) => {
                out.extend(path.take());
                colons = 0;
                in_tokens(group.stream(), out);
            }
            TokenTree::Literal(_) => {
                out.extend(path.take());
                colons = 0;
            }
        }
    }
    out.extend(path);
}

/// The modules that a file declares without a body, those inside its inline modules too.
pub(crate) fn child_files(file: &syn::File, module: &[String], in_test: bool) -> Vec<Child> {
    // The binary's root declares nothing; the library's root has the empty module path.
    let mut children = Vec::new();
    collect(&file.items, module, in_test, &mut children);
    children
}

fn collect(items: &[Item], module: &[String], in_test: bool, out: &mut Vec<Child>) {
    for item in items {
        let Item::Mod(item) = item else { continue };
        let module = [module, &[item.ident.to_string()]].concat();
        let in_test = in_test || is_test_only(&item.attrs);
        match &item.content {
            Some((_, items)) => collect(items, &module, in_test, out),
            None => out.push(Child { module, in_test }),
        }
    }
}

/// `#[cfg(test)]` or `#[cfg(all(test, …))]`.
pub(crate) fn is_test_only(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let text = list.tokens.to_string().replace(' ', "");
            text == "test" || text.starts_with("all(test,")
        }
        Meta::List(_) | Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

/// What stands above an item in `#[…]`.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "syn keeps the enum open; the rest bears no cfg(test) here"
)]
pub(crate) fn attrs_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
