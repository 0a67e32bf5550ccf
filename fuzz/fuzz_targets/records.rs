#![no_main]
//! Records of a store: the subject of its runs, or a request for runs.

mod scratch;

use libfuzzer_sys::fuzz_target;
use overparam::store::{Experiment, Store};

const SUBJECT: &str = r#"{"format":1,"version":"0.1.0","objective":"sphere","fingerprint":"sphere","expression":null,
    "dimensions":{"n":5,"k":2,"widths":[2],"d":3},"dtype":"f64","device":"cpu","instruction_set":null}"#;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let (subject, asked) = if first & 1 == 1 { (rest, &b"{}"[..]) } else { (SUBJECT.as_bytes(), rest) };
    scratch::file("s/sphere/subject.json", subject);
    scratch::file("s/sphere/asked/a.json", asked);
    std::fs::create_dir_all(scratch::folder().join("s/sphere/runs")).unwrap();
    let Ok(store) = Store::read(scratch::folder().join("s")) else { return };
    for shelf in store.shelves().into_iter().flatten() {
        let _ = shelf.subject().problem();
        // The runs themselves are as many as were asked for.
        for manifest in shelf.asked().into_iter().flatten().filter(|manifest| manifest.len() < 10_000) {
            let _ = Experiment::of_record(shelf.subject().clone(), manifest).map(|experiment| experiment.trials());
        }
    }
});
