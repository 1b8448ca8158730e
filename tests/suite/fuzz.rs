//! The fuzz targets are a workspace of their own, which a nightly compiler builds: what can be held without one is held here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::{MetadataCommand, TargetKind};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

/// The sources of the targets, by name.
fn sources() -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder().join("fuzz_targets")).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let source = |path: &Path| fs::read_to_string(path).expect("sources are UTF-8");
    let name = |path: &Path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    paths.map(|path| (name(&path), source(&path))).collect()
}

#[test]
fn every_fuzz_target_is_built_and_says_how_it_is_run() {
    let metadata = MetadataCommand::new().manifest_path(folder().join("Cargo.toml")).no_deps().exec();
    let package = metadata.expect("cargo reads the manifest").packages.remove(0);
    let binaries = package.targets.into_iter().filter(|target| target.kind.contains(&TargetKind::Bin));
    let built: BTreeSet<String> = binaries.map(|target| target.name).collect();
    let sources = sources();
    assert_eq!(built, sources.keys().cloned().collect());
    for (name, source) in &sources {
        assert!(source.contains(&format!("`cargo +nightly fuzz run {name}")), "{name}");
    }
}

#[test]
fn every_function_that_decides_is_fuzzed() {
    let functions = fs::read_dir(folder().with_file_name("functions")).expect("the folder is part of the repository");
    let names =
        functions.map(|entry| entry.expect("the folder can be listed").file_name().to_string_lossy().into_owned());
    let deciding: Vec<String> = names.filter(|name| name.ends_with("authorizer")).collect();
    assert_eq!(deciding.len(), 3, "{deciding:?}");
    let sources: String = sources().into_values().collect();
    for name in deciding {
        assert!(sources.contains(&format!("use {}::", name.replace('-', "_"))), "{name}");
    }
}
