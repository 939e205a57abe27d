//! The fuzz targets without a fuzzer: the kept corpus, and mutations of it from a seed.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use statewright_tests::fuzz::{self, TARGETS};

/// Mutations of the corpus for each target, and the longest one: this is a test that everybody runs, and only the
/// fuzzer's job to search.
const MUTATIONS: usize = 2000;
const LONGEST: usize = 2000;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The inputs of a target with their names, in a fixed order.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpus().join(target);
    let mut inputs: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// xorshift64*: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end.max(1)
    }
}

/// A few changes: bytes replaced, removed, doubled, and the tail of another input.
fn mutate(input: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + 1 + numbers.below(8)).min(bytes.len());
        let from = other.get(numbers.below(other.len())..).unwrap_or_default();
        match numbers.below(6) {
            0 if at < bytes.len() => bytes[at] = numbers.below(256) as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => {
                let part = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, part.repeat(1 + numbers.below(3)));
            }
            4 => {
                let part = &from[..from.len().min(1 + numbers.below(20))];
                bytes.splice(at..at, part.iter().copied());
            }
            _ => {
                bytes.truncate(at);
                bytes.extend(from);
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// Runs one input, and says which one it was when its property does not hold.
fn run(target: &str, from: &str, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| fuzz::run(target, input))) {
        eprintln!("{target}, {from}: {}", input.escape_ascii());
        resume_unwind(panic);
    }
}

fn replay(target: &str) {
    let inputs = inputs(target);
    assert!(inputs.len() >= 5, "no corpus for {target}");
    for (name, input) in &inputs {
        run(target, name, input);
    }
    let mut numbers = Numbers(0x5EED);
    for _ in 0..MUTATIONS {
        let (name, input) = &inputs[numbers.below(inputs.len())];
        let (_, other) = &inputs[numbers.below(inputs.len())];
        run(target, name, &mutate(input, other, &mut numbers));
    }
}

/// One test a target, so that they run side by side and a failure names its target.
macro_rules! targets {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed_and_has_a_corpus_and_a_program() {
            let tested = BTreeSet::from([$(stringify!($target).to_owned()),*]);
            let known = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            let names = |folder: &str| -> BTreeSet<String> {
                let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
                let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
                entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
            };
            assert_eq!(tested, known);
            assert_eq!(tested, names("corpus"));
            assert_eq!(tested, names("fuzz_targets"));
        }
    };
}

targets!(
    json msgpack cbor typed toml packed stream path jsonpath patch merge edit schema testfile spec checkpoint commits
);

#[test]
fn the_corpus_is_small() {
    let size: usize = TARGETS
        .iter()
        .flat_map(|(target, _)| inputs(target))
        .map(|(_, input)| input.len())
        .sum();
    assert!(size < 1 << 20, "{size} bytes");
}
