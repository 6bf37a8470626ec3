//! Journals out and back: any of them, and those that somebody has touched on the way.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::write::export_with;
use super::*;
use crate::domain::event::Record;
use crate::journal::arbitrary::{self, write};
use crate::journal::segment::RunId;
use crate::journal::{End, Identity, Limits, Reader, Writer, fixture};

const LIVE: Identity = Identity { run_id: RunId([9; 16]), salt_seed: 77, created_ns: -5 };

fn journal(dir: &Path, records: &[Record], identity: Identity, limits: Limits) {
    let mut writer = Writer::create_with(dir, identity, limits).unwrap();
    records.iter().for_each(|record| write(&mut writer, record).unwrap());
    writer.seal().unwrap();
}

fn read(dir: &Path) -> (Vec<Record>, Option<End>, String) {
    let mut reader = Reader::open(dir).unwrap();
    let records = reader.by_ref().map(Result::unwrap).collect();
    (records, reader.end(), reader.digest().to_string())
}

/// The fixture's journal, and its archive.
fn exported(limits: Limits, seal: bool) -> (TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(&dir.path().join("run"), limits, seal);
    let manifest = export(&dir.path().join("run"), &dir.path().join("archive")).unwrap();
    (dir, manifest)
}

/// What the import of the archive in `dir` says no with; it leaves nothing behind.
fn refusal(dir: &TempDir) -> String {
    let before = names(dir.path());
    let error = import(&dir.path().join("archive"), &dir.path().join("new/back")).unwrap_err();
    assert_eq!(names(dir.path()), before);
    let place = dir.path().display().to_string() + "/";
    error.to_string().replace(&place, "")
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    names.sort();
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_journal_goes_out_and_comes_back(
        records in arbitrary::journal(30),
        replay in any::<bool>(),
        file_rows in 1..20_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let [run, archive, back] = ["run", "archive", "back"].map(|name| dir.path().join(name));
        let (identity, limits) = match replay {
            true => (Identity { salt_seed: 0, created_ns: 0, ..LIVE }, Limits::default()),
            false => (LIVE, Limits { batch_records: 3, batch_bytes: 300, segment_bytes: 9_000 }),
        };
        journal(&run, &records, identity, limits);
        let manifest = export_with(&run, &archive, file_rows).unwrap();
        prop_assert_eq!(manifest.records, records.len() as u64);
        // A file is full before its last step, if at all.
        let steps = records.chunk_by(|a, b| a.id.seq == b.id.seq).map(<[Record]>::len);
        let longest = steps.max().unwrap() as u64;
        prop_assert!(manifest.files.iter().all(|it| it.records < file_rows + longest));
        let imported = import(&archive, &back).unwrap();
        prop_assert_eq!(imported.same_segments(), replay);
        let (came_back, end, digest) = read(&back);
        prop_assert!(came_back == records, "times of receipt included");
        prop_assert!(matches!(end, Some(End::Sealed(_))));
        prop_assert_eq!(digest, read(&run).2);
        prop_assert_eq!(Reader::open(&back).unwrap().header().created_ns, identity.created_ns);
    }
}

#[test]
fn an_archive_says_what_is_in_it() {
    let (_dir, mut manifest) = exported(Limits::default(), true);
    // Another version of the compressor may write other bytes.
    manifest.files.iter_mut().for_each(|file| (file.bytes, file.blake3) = (0, "-".into()));
    let of_segment = |it: &mut SegmentEntry| (it.bytes, it.blake3) = (0, "-".into());
    manifest.segments.iter_mut().for_each(of_segment);
    manifest.blake3 = "-".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&manifest).unwrap());
}

#[test]
fn the_same_journal_gives_the_same_archive() {
    let [(_one, first), (_two, second)] = [(); 2].map(|()| exported(Limits::default(), true));
    assert_eq!(first, second);
}

#[test]
fn a_journal_that_ended_early_comes_back_ended_early() {
    let limits = Limits { batch_records: 1, ..Limits::default() };
    let (dir, manifest) = exported(limits, false);
    assert!(!manifest.sealed && manifest.segments.is_empty());
    let back = dir.path().join("back");
    let imported = import(&dir.path().join("archive"), &back).unwrap();
    assert_eq!(imported.sealed.bytes, imported.segments[0].bytes);
    let (records, end, digest) = read(&back);
    let all = fixture::records();
    assert!(records.len() < all.len() && all.starts_with(&records));
    assert_eq!(end, Some(End::Unsealed { trailing_bytes: 0 }));
    assert_eq!(digest, read(&dir.path().join("run")).2);
}

#[test]
fn whatever_was_touched_is_named() {
    let (dir, manifest) = exported(Limits::default(), true);
    let path = dir.path().join("archive").join(&manifest.files[0].path);
    let whole = fs::read(&path).unwrap();
    let mut said = Vec::new();
    let mut touched = |path: &Path, bytes: Option<&[u8]>, wanted: &[u8]| {
        bytes.map_or_else(|| fs::remove_file(path), |bytes| fs::write(path, bytes)).unwrap();
        said.push(refusal(&dir));
        fs::write(path, wanted).unwrap();
    };
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    touched(&path, Some(&flipped), &whole);
    touched(&path, Some(&whole[1..]), &whole);
    touched(&path, None, &whole);
    let of_archive = dir.path().join("archive/manifest.json");
    let text = fs::read_to_string(&of_archive).unwrap();
    let open = text.replace("\"sealed\": true", "\"sealed\": false");
    touched(&of_archive, Some(open.as_bytes()), text.as_bytes());
    let later = text.replace("\"archive_version\": 1", "\"archive_version\": 2");
    touched(&of_archive, Some(later.as_bytes()), text.as_bytes());
    touched(&of_archive, Some(b"{}"), text.as_bytes());
    touched(&of_archive, None, text.as_bytes());
    fs::write(path.with_file_name("000000000006-000000000006.parquet"), &whole).unwrap();
    said.push(refusal(&dir));
    insta::assert_snapshot!(said.join("\n"));
}

/// Somebody who mends the manifest too. The archive then vouches for itself, but not for the run.
#[test]
fn a_mended_manifest_does_not_help() {
    let mended = |change: &dyn Fn(&mut Manifest)| {
        let (dir, mut manifest) = exported(Limits::default(), true);
        change(&mut manifest);
        let archive = dir.path().join("archive");
        fs::remove_file(archive.join(MANIFEST)).unwrap();
        manifest.write(&archive).unwrap();
        refusal(&dir)
    };
    let other = "00".repeat(32);
    let said = [
        mended(&|manifest| {
            manifest.digest_after.clone_from(&other);
            manifest.files[0].digest_after.clone_from(&other);
        }),
        mended(&|manifest| manifest.received.clone_from(&other)),
        mended(&|manifest| (manifest.records, manifest.files[0].records) = (15, 15)),
        mended(&|manifest| (manifest.inputs, manifest.files[0].last_seq) = (7, 6)),
        mended(&|manifest| manifest.inputs = 7),
        mended(&|manifest| manifest.files[0].first_seq = 1),
        mended(&|manifest| manifest.files[0].path = "../archive/manifest.json".into()),
        mended(&|manifest| manifest.core_version = 9),
        mended(&|manifest| manifest.run_id = "ü".into()),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

/// Bytes that are no Parquet, under the hash that they have.
#[test]
fn a_file_that_the_decoder_gives_up_on_is_an_error() {
    let (dir, manifest) = exported(Limits::default(), true);
    let archive = dir.path().join("archive");
    let path = archive.join(&manifest.files[0].path);
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for place in (0..whole.len()).step_by(31) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        let mut manifest = manifest.clone();
        manifest.files[0].blake3 = blake3::hash(&bytes).to_hex().to_string();
        fs::remove_file(archive.join(MANIFEST)).unwrap();
        manifest.write(&archive).unwrap();
        let back = dir.path().join(format!("back-{place}"));
        match import(&archive, &back) {
            // Columns for people, statistics and the like: the records are what they were.
            Ok(imported) => assert!(imported.same_segments(), "byte {place}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn nothing_is_written_over() {
    let (dir, _) = exported(Limits::default(), true);
    let [run, archive] = ["run", "archive"].map(|name| dir.path().join(name));
    for (from, to) in [(&run, &archive), (&run, &run), (&run, &dir.path().join(".."))] {
        assert!(matches!(export(from, to), Err(ArchiveError::Exists { .. })), "{}", to.display());
    }
    assert!(matches!(import(&archive, &run), Err(ArchiveError::Exists { .. })));
    assert!(matches!(import(&run, &archive), Err(ArchiveError::Absent { .. })));
    let nowhere = dir.path().join("a/b/c");
    assert!(export(&dir.path().join("nowhere"), &nowhere).is_err());
    assert_eq!(names(dir.path()), [archive, run]);
}

#[test]
fn a_journal_without_a_committed_record_is_none() {
    let dir = tempfile::tempdir().unwrap();
    Writer::create(&dir.path().join("run"), LIVE).unwrap();
    let error = export(&dir.path().join("run"), &dir.path().join("archive")).unwrap_err();
    assert!(matches!(error, ArchiveError::Empty { .. }), "{error}");
}
