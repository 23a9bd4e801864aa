//! The signed link of a file: long, valid until the year 2500, with the account and the file name inside (C). It
//! carries the canary, so that a leak test can search everything the daemon wrote for it.

use std::fmt::Write as _;

use super::state::Place;

/// A link in the shape of the real one; it leads nowhere.
pub(super) fn signed_link(canary: &str, place: &Place, file: &str, name: &str) -> String {
    let (folder, parent, batch) = (place.module.folder(), &place.parent, &place.batch);
    let (canary, name) = (percent_encoded(canary), percent_encoded(name));
    format!(
        "https://storage.googleapis.com/extracta-sandbox.appspot.com/{folder}/account-{canary}/{parent}/{batch}/\
         {file}/{name}?GoogleAccessId=sandbox%40extracta-sandbox.iam.gserviceaccount.com&Expires=16725225600\
         &Signature={canary}%2F{file}%2FdGhpcyBzaWduYXR1cmUgaXMgbm90IG9uZQ%3D%3D"
    )
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::route::Module;

    #[test]
    fn a_link_holds_the_canary_and_the_file_name() {
        let place = Place {
            module: Module::Classification,
            parent: "-Oparent".into(),
            batch: "batch".into(),
        };
        let link = signed_link("canary-7", &place, "-Ofile", "Müller & Söhne.pdf");
        assert!(link.starts_with("https://storage.googleapis.com/") && link.contains("Expires=16725225600"));
        assert!(link.contains("account-canary-7/") && link.contains("Signature=canary-7"));
        assert!(link.contains("/M%C3%BCller%20%26%20S%C3%B6hne.pdf?"));
    }
}
