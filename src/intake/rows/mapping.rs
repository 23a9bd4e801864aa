//! Rows from elsewhere: which of their keys or columns stands for which of ours.

use super::raw::{Field, LABELS, suggestion};

/// The prefix of a label's own column.
const LABEL: &str = "label.";

/// Our keys, each with the name it has in the input. What is neither named here nor one of our own
/// keys is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    texts: Vec<(Field, String)>,
    /// Label key, and the name of its column.
    labels: Vec<(String, String)>,
}

/// What a key or column of the input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::intake) enum Target<'a> {
    Text(Field),
    Labels,
    Label(&'a str),
    /// Nothing of ours.
    Foreign,
}

impl Mapping {
    /// Adds `OURS=THEIRS[,OURS=THEIRS…]`, such as `uploaded_at=created,label.tenant=customer`.
    ///
    /// # Errors
    /// What is wrong with it, and what may be written.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        for pair in text.split(',') {
            let (ours, theirs) = pair
                .split_once('=')
                .map(|(ours, theirs)| (ours.trim(), theirs.trim()))
                .filter(|(ours, theirs)| !ours.is_empty() && !theirs.is_empty())
                .ok_or_else(|| {
                    format!("`{pair}` is no mapping; write OURS=THEIRS, such as uploaded_at=created")
                })?;
            if self.names().any(|named| named == theirs) {
                return Err(format!(
                    "`{theirs}` is mapped twice: one column stands for one thing"
                ));
            }
            let known = Field::ALL.into_iter().map(Field::name);
            match (Field::named(ours), ours.strip_prefix(LABEL)) {
                (Some(field), _) if self.texts.iter().any(|(named, _)| *named == field) => {
                    return Err(format!("`{ours}` is mapped twice"));
                }
                (Some(field), _) => self.texts.push((field, theirs.to_owned())),
                (None, Some(key)) if !key.is_empty() => {
                    self.labels.push((key.to_owned(), theirs.to_owned()));
                }
                (None, _) => {
                    let hint = suggestion(ours, known.chain(["label.KEY"]));
                    return Err(format!("`{ours}` is no key of a row{hint}"));
                }
            }
        }
        Ok(())
    }

    /// The names in the input that it speaks of.
    pub(in crate::intake) fn names(&self) -> impl Iterator<Item = &str> {
        let texts = self.texts.iter().map(|(_, theirs)| theirs.as_str());
        texts.chain(self.labels.iter().map(|(_, theirs)| theirs.as_str()))
    }

    /// The label keys that it speaks of.
    pub(in crate::intake) fn label_keys(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|(key, _)| key.as_str())
    }

    /// The name that stands for one of our keys, if another than its own does.
    pub(in crate::intake) fn name_of(&self, field: Field) -> Option<&str> {
        let named = self.texts.iter().find(|(named, _)| *named == field);
        named.map(|(_, theirs)| theirs.as_str())
    }

    /// What the input calls `name`.
    pub(super) fn target(&self, name: &str) -> Target<'_> {
        if let Some((field, _)) = self.texts.iter().find(|(_, theirs)| theirs == name) {
            return Target::Text(*field);
        }
        if let Some((key, _)) = self.labels.iter().find(|(_, theirs)| theirs == name) {
            return Target::Label(key);
        }
        match Field::named(name) {
            // In a table from elsewhere it is somebody's account, and none of ours unless that is said.
            Some(Field::Account) => Target::Foreign,
            // Their column of that name is something else: ours is another one.
            Some(field) if self.name_of(field).is_none() => Target::Text(field),
            None if name == LABELS => Target::Labels,
            Some(_) | None => Target::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(text: &str) -> Result<Mapping, String> {
        let mut mapping = Mapping::default();
        mapping.add(text).map(|()| mapping)
    }

    #[test]
    fn a_mapped_key_is_found_under_their_name_and_no_more_under_its_own() {
        let mapping = mapping("uploaded_at=created, file_id=id,label.tenant=customer").unwrap();
        for (name, target) in [
            ("created", Target::Text(Field::UploadedAt)),
            ("id", Target::Text(Field::FileId)),
            ("customer", Target::Label("tenant")),
            ("file_id", Target::Foreign),
            ("batch_id", Target::Text(Field::BatchId)),
            ("labels", Target::Labels),
            ("size", Target::Foreign),
        ] {
            assert_eq!(mapping.target(name), target, "{name}");
        }
    }

    #[test]
    fn a_mapping_that_says_two_things_or_nothing_is_refused_with_what_may_be_written() {
        for (text, word) in [
            ("created", "OURS=THEIRS"),
            ("uploaded_at=", "OURS=THEIRS"),
            ("uploaded_at=a,processed_at=a", "twice"),
            ("uploaded_at=a,uploaded_at=b", "twice"),
            ("uploadedat=created", "did you mean `uploaded_at`?"),
            ("label.=x", "is no key"),
        ] {
            let problem = mapping(text).unwrap_err();
            assert!(problem.contains(word), "{text}: {problem}");
        }
    }
}
