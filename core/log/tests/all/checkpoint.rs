//! Checkpoint files: what was written is read, what is damaged is refused, and what was interrupted is not there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use statewright_log::sim::{self, Fault, Image, Op};
use statewright_log::{
    CheckpointFile, CheckpointWriter, Env, Error, OpenMode, Position, Timestamp, checkpoints,
    remove_checkpoint,
};

const DIR: &str = "/store";

fn position() -> Position {
    Position {
        version: 7,
        hash: [9; 16],
        time: Timestamp::from_micros(123),
        segment: 2,
        offset: 4711,
    }
}

/// Writes checkpoint 3 with these pages; gives their offsets.
fn write(env: &Env, pages: &[Vec<u8>]) -> Result<(CheckpointFile, Vec<u64>), Error> {
    let mut writer = CheckpointWriter::create(env, Path::new(DIR), 3)?;
    let offsets = pages
        .iter()
        .map(|page| writer.page(page))
        .collect::<Result<_, _>>()?;
    Ok((writer.finish(&position(), b"the root")?, offsets))
}

fn pages() -> Vec<Vec<u8>> {
    [0, 1, 56, 57, 4096, 3 << 20]
        .iter()
        .map(|len| vec![*len as u8 | 1; *len])
        .collect()
}

/// Systems keep in one large page what is written at once, if it begins and ends where such a page does.
#[test]
fn large_pages_of_the_file_are_written_whole() {
    const LARGE: u64 = 2 << 20;
    let (env, io, _) = sim::world(1);
    env.io.create_dir(Path::new(DIR)).unwrap();
    let written: Arc<Mutex<Option<PathBuf>>> = Arc::default();
    let created = written.clone();
    io.on_change(move |change, _| {
        if change.op == Op::Create {
            *created.lock().unwrap() = Some(change.path.clone());
        }
    });
    let mut writer = CheckpointWriter::create(&env, Path::new(DIR), 3).unwrap();
    let path = written.lock().unwrap().clone().unwrap();
    let before = io.calls(Op::Write);
    let mut offsets = Vec::new();
    for nth in 0..1600_usize {
        let len = if nth == 700 { 5 << 20 } else { 4000 + nth % 90 };
        let page = vec![nth as u8; len];
        offsets.push((writer.page_in_block(&page).unwrap(), page));
        let size = io.size(&path).unwrap();
        assert_eq!(size % LARGE, 0);
        assert!(writer.len() - size < LARGE);
    }
    assert_eq!(io.calls(Op::Write) - before, 4);
    let file = writer.finish(&position(), b"the root").unwrap();
    for (offset, page) in offsets {
        assert_eq!(file.page(offset).unwrap(), page);
    }
}

#[test]
fn pages_read_back() {
    let real = tempfile::tempdir().unwrap();
    let (sim, _, _) = sim::world(1);
    sim.io.create_dir(Path::new(DIR)).unwrap();
    for (env, dir) in [(Env::real(), real.path()), (sim, Path::new(DIR))] {
        let mut writer = CheckpointWriter::create(&env, dir, 3).unwrap();
        let offsets: Vec<u64> = pages()
            .iter()
            .map(|page| writer.page(page).unwrap())
            .collect();
        assert!(
            checkpoints(&env, dir).unwrap().is_empty(),
            "it has no name yet"
        );
        let written = writer.finish(&position(), b"the root").unwrap();
        for file in [written, CheckpointFile::open(&env, dir, 3).unwrap()] {
            assert_eq!(
                (file.position(), file.root()),
                (position(), b"the root".as_slice())
            );
            for (offset, page) in offsets
                .iter()
                .zip(pages())
                .chain(offsets.iter().zip(pages()))
            {
                assert_eq!(file.page(*offset).unwrap(), page);
            }
            for wrong in [0, 63, offsets[0] + 1, file.len(), u64::MAX] {
                assert!(
                    matches!(file.page(wrong), Err(Error::Corrupt { .. })),
                    "{wrong}"
                );
            }
        }
        assert_eq!(checkpoints(&env, dir).unwrap(), [3]);
        remove_checkpoint(&env, dir, 3).unwrap();
        remove_checkpoint(&env, dir, 3).unwrap();
        assert!(checkpoints(&env, dir).unwrap().is_empty());
    }
    let file = real.path().join("file");
    Env::real().io.open(&file, OpenMode::CreateNew).unwrap();
    assert!(checkpoints(&Env::real(), &file).unwrap().is_empty());
    assert!(
        checkpoints(&Env::real(), Path::new("/nowhere/at/all"))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn every_flipped_byte_is_noticed_where_it_is_read() {
    let (env, io, _) = sim::world(1);
    env.io.create_dir(Path::new(DIR)).unwrap();
    let small = [b"first".to_vec(), b"second page".to_vec()];
    let (file, offsets) = write(&env, &small).unwrap();
    let path = Path::new(DIR).join("0000000003.swckpt");
    for at in 0..file.len() {
        io.edit(&path, |bytes| bytes[at as usize] ^= 0x10).unwrap();
        if let Ok(file) = CheckpointFile::open(&env, Path::new(DIR), 3) {
            // The header and the end are intact, so a page is not, or padding that nobody reads.
            for (offset, page) in offsets.iter().zip(&small) {
                assert!(
                    file.page(*offset).is_err() || file.page(*offset).unwrap() == page,
                    "byte {at}"
                );
            }
            assert_eq!(
                (file.position(), file.root()),
                (position(), b"the root".as_slice())
            );
        }
        io.edit(&path, |bytes| bytes[at as usize] ^= 0x10).unwrap();
    }
    for cut in 0..file.len() {
        let whole = env.io.read(&path, usize::MAX).unwrap();
        io.edit(&path, |bytes| bytes.truncate(cut as usize))
            .unwrap();
        assert!(
            CheckpointFile::open(&env, Path::new(DIR), 3).is_err(),
            "cut at {cut}"
        );
        io.edit(&path, |bytes| bytes.clone_from(&whole)).unwrap();
    }
}

/// However small a page is, and whatever pages beside it were read before.
#[test]
fn a_damaged_page_is_noticed_beside_intact_ones() {
    let (env, io, _) = sim::world(1);
    env.io.create_dir(Path::new(DIR)).unwrap();
    let sizes = (0..8).flat_map(|nth| [1, 40, 56, 57, 110, 184, 200, 247, 248, 249, 500 - nth]);
    let pages: Vec<Vec<u8>> = sizes.map(|len| vec![len as u8; len]).collect();
    let (_, offsets) = write(&env, &pages).unwrap();
    let path = Path::new(DIR).join("0000000003.swckpt");
    for (damaged, at) in offsets.iter().enumerate() {
        let flip = |bytes: &mut Vec<u8>| bytes[*at as usize + 8] ^= 0x10;
        io.edit(&path, flip).unwrap();
        let file = CheckpointFile::open(&env, Path::new(DIR), 3).unwrap();
        for _ in 0..2 {
            for (nth, offset) in offsets.iter().enumerate() {
                assert_eq!(
                    file.page(*offset).ok(),
                    Some(&*pages[nth]).filter(|_| nth != damaged)
                );
            }
        }
        io.edit(&path, flip).unwrap();
    }
}

#[test]
fn a_power_cut_at_any_moment_leaves_all_of_it_or_nothing() {
    let (env, io, _) = sim::world(1);
    env.io.create_dir(Path::new(DIR)).unwrap();
    env.io.sync_dir(Path::new("/")).unwrap();
    let before = io.boundaries();
    write(&env, &pages()).unwrap();
    for moment in before..=io.boundaries() {
        for image in Image::series(moment, 10) {
            let (env, io, _) = sim::world(1);
            env.io.create_dir(Path::new(DIR)).unwrap();
            env.io.sync_dir(Path::new("/")).unwrap();
            io.halt_at(moment);
            let done = write(&env, &pages()).is_ok();
            let after = io.crash(&image);
            let env = sim::env(&after, 2);
            let there = checkpoints(&env, Path::new(DIR)).unwrap();
            assert!(
                !done || there == [3],
                "{moment} {image:?}: published and lost"
            );
            for number in there {
                let file = CheckpointFile::open(&env, Path::new(DIR), number).unwrap();
                let mut at = 64;
                for page in pages() {
                    assert_eq!(file.page(at).unwrap(), page, "{moment} {image:?}");
                    at = (at + 8 + page.len() as u64).next_multiple_of(64);
                }
            }
        }
    }
}

#[test]
fn any_failing_call_leaves_no_checkpoint_and_a_typed_error() {
    for op in [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::Open] {
        for nth in 1..6 {
            let (env, io, _) = sim::world(1);
            env.io.create_dir(Path::new(DIR)).unwrap();
            io.fail(Fault::once(op, nth, io::ErrorKind::StorageFull));
            match write(&env, &pages()) {
                Err(e) => {
                    assert!(
                        matches!(e, Error::NoSpace { .. } | Error::Io { .. }),
                        "{op:?} {nth}: {e}"
                    );
                    let left = env.io.list(Path::new(DIR)).unwrap();
                    assert!(left.is_empty() || op == Op::Open, "{op:?} {nth}: {left:?}");
                }
                Ok((file, offsets)) => {
                    for (offset, page) in offsets.iter().zip(pages()) {
                        assert_eq!(file.page(*offset).unwrap(), page);
                    }
                }
            }
        }
    }
}
