//! The shape of the source tree: who may use whom, what must be pure, how files are laid out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which top-level modules a module may use, besides itself. A module that is not listed fails the test.
pub(crate) const MAY_USE: &[(&str, &[&str])] = &[
    ("template", &[]),
    ("similar", &[]),
    ("project", &["similar"]),
    ("model", &["similar"]),
    ("spec", &["model", "access", "synth", "template", "similar"]),
    ("access", &["model", "template", "similar"]),
    ("synth", &["model", "access", "template"]),
    ("assembly", &["synth", "template", "project"]),
    ("bundle", &["project", "similar"]),
    ("deploy", &["assembly", "bundle", "synth", "access", "template"]),
    ("local", &["template"]),
    (
        "cli",
        &[
            "deploy", "local", "access", "spec", "synth", "assembly", "bundle", "project", "model", "template",
            "similar",
        ],
    ),
];

/// Modules without a clock, an environment, a disk, a network or `async`.
const PURE: &[&str] = &["template", "model", "spec", "access", "synth"];

const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    // Any of these may be in a group.
    "std::{",
    "tokio",
    "async ",
    ".await",
    "now_utc",
    "now_local",
    "rand::",
    "println!",
    "eprintln!",
];

/// What a line of code has of what is impure.
fn impure(line: &str) -> impl Iterator<Item = &'static str> {
    let is_code = !line.trim_start().starts_with("//");
    IMPURE.iter().copied().filter(move |word| is_code && line.contains(word))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The modules that are packages of their own, with their folders.
fn packages() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(root().join("crates")).expect("the packages are there");
    let folders = entries.map(|entry| entry.expect("the folder is readable").path());
    folders.map(|folder| (folder.file_name().expect("it has one").to_string_lossy().into_owned(), folder)).collect()
}

/// Every source with its place in the tree of modules: `local/s3.rs` for `crates/local/src/s3.rs`.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = sources_of(&root().join("src"));
    for (module, folder) in packages() {
        let files = sources_of(&folder.join("src"));
        found.extend(files.into_iter().map(|(path, text)| match path == Path::new("lib.rs") {
            true => (PathBuf::from(format!("{module}.rs")), text),
            false => (Path::new(&module).join(path), text),
        }));
    }
    found.sort();
    found
}

fn sources_of(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the source tree is readable") {
            let path = entry.expect("the source tree is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path.strip_prefix(root).expect("walked from the root").to_owned(), text));
            }
        }
    }
    assert!(found.len() > 4, "the walk must find the sources");
    found
}

/// The top-level module that a file belongs to: `local/s3.rs` is part of `local`.
fn module(path: &Path) -> String {
    let first = path.components().next().expect("a file has a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// What the library is called in a module: the program is a crate of its own.
fn library(module: &str) -> &'static str {
    if module == "cli" { "stackgen::" } else { "crate::" }
}

/// The names that a file of a module uses of the library, and of the packages that are modules of it.
fn used_in(module: &str, text: &str) -> BTreeSet<String> {
    &used(text, library(module)) | &used(text, "stackgen_")
}

/// Names that follow the name of a crate in code, groups such as `crate::{a, b::c}` included. Codes of errors, such as
/// `code(stackgen::project)`, are no use of anything.
fn used(text: &str, of: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(of) {
        if code[..at].ends_with("code(") {
            continue;
        }
        if at > 0 && code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + of.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(first_names(group)),
            None => names.extend(identifier(rest)),
        }
    }
    names
}

fn first_names(group: &str) -> Vec<String> {
    let mut depth = 1;
    let mut names = Vec::new();
    let mut start = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => start = true,
            _ if start && !c.is_whitespace() => {
                names.extend(identifier(&group[at..]));
                start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn packages_use_only_what_lies_below_them() {
    for (module, folder) in packages() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a package has one");
        let used = manifest.lines().filter_map(|line| line.strip_prefix("stackgen-")).filter_map(identifier);
        let (_, allowed) = MAY_USE.iter().find(|(name, _)| *name == module).expect("it is listed");
        assert_eq!(used.collect::<Vec<_>>(), *allowed, "{module}");
    }
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources_of(&root().join("src")) {
        let module = module(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: module `{module}` is not listed in MAY_USE", path.display()));
            continue;
        };
        for name in used_in(&module, &text) {
            let top_level = MAY_USE.iter().any(|(known, _)| *known == name);
            if top_level && name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: `{module}` uses `{name}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_touch_nothing_outside() {
    let mut wrong = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| PURE.contains(&module(path).as_str())) {
        for line in text.lines() {
            for word in impure(line) {
                wrong.push(format!("{}: `{word}` in `{}`", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_module_is_a_file_beside_its_folder() {
    let strays: Vec<_> = sources().into_iter().filter(|(path, _)| path.ends_with("mod.rs")).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn only_output_prints() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if path == Path::new("cli/output.rs") || path == Path::new("main.rs") {
            continue;
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            if ["println!", "eprintln!", "print!(", "eprint!(", "dbg!"].iter().any(|macro_| line.contains(macro_)) {
                wrong.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimplemented", "!("), concat!("#[ig", "nore]")];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for line in text.lines().filter(|line| words.iter().any(|word| line.contains(word))) {
            wrong.push(format!("{}: {}", path.display(), line.trim()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn used_names_are_found_in_paths_and_groups() {
    let text = "use crate::model::Stack;\nuse crate::{spec, synth::{self, Error}};\n// crate::deploy\nlet x = crate::project::Project::new();";
    let names: Vec<_> = used(text, "crate::").into_iter().collect();
    assert_eq!(names, ["model", "project", "spec", "synth"]);
    let program = "use stackgen::{assembly, bundle};\n#[diagnostic(code(stackgen::deploy))]\nuse crate::local;";
    assert_eq!(used(program, library("cli")).into_iter().collect::<Vec<_>>(), ["assembly", "bundle"]);
    let package = "use stackgen_local::cloud::Cloud;\nuse crate::synth;\nlet x: stackgen_template::Template;";
    assert_eq!(used_in("deploy", package).into_iter().collect::<Vec<_>>(), ["local", "synth", "template"]);
}

#[test]
fn the_program_is_seen_to_use_the_library() {
    let used: BTreeSet<_> = sources()
        .iter()
        .filter(|(path, _)| module(path) == "cli")
        .flat_map(|(_, text)| used(text, library("cli")))
        .collect();
    let (_, allowed) = MAY_USE.iter().find(|(name, _)| *name == "cli").expect("it is listed");
    let unused: Vec<_> = allowed.iter().filter(|name| !used.contains(**name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn what_is_impure_is_found_in_groups_closures_and_clocks() {
    for line in [
        "use std::{env, fs};",
        "    let read = std::fs::read(path);",
        "    spawn(async move {",
        "    let now = OffsetDateTime::now_utc();",
        "pub async fn read() {",
    ] {
        assert_eq!(impure(line).count(), 1, "{line}");
    }
    for line in ["use std::collections::BTreeMap;", "// use std::{env, fs};", "    let asynchronous = true;"] {
        assert_eq!(impure(line).count(), 0, "{line}");
    }
}
