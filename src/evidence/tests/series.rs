//! A file of notes that was cut off at any byte.

use crate::evidence::series::Series;
use crate::evidence::{Note, SecretKey};

fn note(n: u32, signed: bool) -> String {
    let key = SecretKey::new("retentiond/x", &[7; 32]).unwrap();
    let keys: Vec<&SecretKey> = signed.then_some(&key).into_iter().collect();
    Note::sign(&format!("retentiond/x\n{n}\nroot\n"), &keys).to_string()
}

/// As the ledger adds it.
fn add(file: &mut Vec<u8>, note: &str) {
    let before = Series::before_next(file);
    file.extend(format!("{before}{note}\n").into_bytes());
}

fn texts(series: &Series) -> Vec<String> {
    series.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn whole_notes_read_back_signed_or_not() {
    let all = [note(1, false), note(2, true), note(3, true), note(4, false)];
    let mut file = Vec::new();
    for one in &all {
        add(&mut file, one);
    }
    let read = Series::parse(&file).unwrap();
    assert_eq!((texts(&read), read.torn.len()), (all.to_vec(), 0));
    assert_eq!(
        file,
        all.map(|one| format!("{one}\n")).concat().into_bytes(),
        "nothing between"
    );
    assert_eq!(Series::parse(b"").unwrap().notes, []);
}

#[test]
fn a_note_cut_off_at_any_byte_is_named_and_the_next_one_ends_it() {
    for (before, last) in [(true, true), (true, false), (false, true), (false, false)] {
        let (first, second, third) = (note(1, before), note(22, last), note(333, true));
        let mut whole = Vec::new();
        add(&mut whole, &first);
        let start = whole.len();
        add(&mut whole, &second);
        for end in start..=whole.len() {
            let mut file = whole[..end].to_vec();
            let read = Series::parse(&file).unwrap();
            // Complete with its signature's line, or with the last empty line where there is none.
            let complete = end == whole.len() || (last && end + 1 == whole.len());
            let left: Vec<_> = [&first, &second]
                .into_iter()
                .take(1 + usize::from(complete))
                .cloned()
                .collect();
            let torn = usize::from(!complete && end > start);
            assert_eq!(
                (texts(&read), read.torn.len()),
                (left.clone(), torn),
                "{end} of {start}"
            );

            add(&mut file, &third);
            assert!(file.starts_with(&whole[..end]), "nothing is taken back");
            let read = Series::parse(&file).unwrap();
            assert_eq!(
                texts(&read),
                [left, vec![third.clone()]].concat(),
                "{end} of {start}"
            );
            assert_eq!(read.torn.len(), torn, "it stays named");
            // And once more, cut off again.
            add(&mut file, &second);
            file.truncate(file.len() - 5);
            assert_eq!(Series::parse(&file).unwrap().torn.len(), torn + 1);
        }
    }
}

#[test]
fn what_is_no_note_amid_the_others_is_damage() {
    let mut file = b"neither a checkpoint\nnor\x01plain\n\n\n".to_vec();
    add(&mut file, &note(2, true));
    assert!(Series::parse(&file).is_err());
    // Zeros, as a file system leaves them after a loss of power.
    let mut file = Vec::new();
    add(&mut file, &note(1, true));
    file.extend([0; 40]);
    let read = Series::parse(&file).unwrap();
    assert_eq!((read.notes.len(), read.torn.len()), (1, 1));
}
