//! What the documents say of the code, held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::tidy::MAY_USE;

const README: &str = include_str!("../../README.md");
const ARCHITECTURE: &str = include_str!("../../docs/architecture.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");
const LOCAL: &str = include_str!("../../crates/local/Cargo.toml");
const TEMPLATE: &str = include_str!("../../crates/template/Cargo.toml");

/// The cells of a table, row by row, without its head.
fn table<'a>(text: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = text.split_once(head).unwrap_or_else(|| panic!("there is no table `{head}`"));
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_modules_may_use_what_their_table_says() {
    let rows = table(ARCHITECTURE, "| module | what it is | may use |");
    let told: BTreeMap<_, _> = rows.iter().map(|row| (row[0].trim_matches('`'), row[2])).collect();
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), MAY_USE.iter().map(|(name, _)| *name).collect());
    for (name, allowed) in MAY_USE {
        let others = || MAY_USE.iter().map(|(other, _)| *other).filter(|other| other != name).collect();
        let said = if told[name] == "all" { others() } else { quoted(told[name]) };
        assert_eq!(said, allowed.iter().copied().collect(), "{name}: {}", told[name]);
    }
}

/// The lines of a section of a manifest.
fn section(manifest: &'static str, name: &str) -> impl Iterator<Item = &'static str> {
    let (_, rest) = manifest.split_once(&format!("\n[{name}]\n")).expect("the manifest has it");
    rest.split("\n[").next().unwrap_or_default().lines()
}

/// The dependencies of a section that are not of this workspace, each with where it comes from.
fn foreign(manifest: &'static str, section_name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = section(manifest, section_name).filter_map(|line| line.split_once(" = "));
    let foreign = lines.filter(|(name, source)| !source.contains("path = ") && !name.starts_with("stackgen-"));
    foreign.map(|(name, source)| (name.trim_end_matches(".workspace"), source))
}

/// The features that bring each optional dependency.
fn features() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    let mut feature = "";
    for line in section(MANIFEST, "features") {
        if let Some((name, _)) = line.split_once(" = ") {
            feature = name;
        }
        if let Some((_, dependency)) = line.split_once("\"dep:") {
            found.entry(dependency.trim_end_matches("\",")).or_default().insert(feature);
        }
    }
    found
}

/// Whether a word of the table is a dependency: `aws-sdk-s3` is `-s3` after the first of its kind.
fn names(word: &str, dependency: &str) -> bool {
    let word = word.split(' ').next().unwrap_or_default();
    word == dependency
        || word.strip_suffix("-rs") == Some(dependency)
        || word.starts_with('-') && dependency.ends_with(word)
}

/// The features that bring each dependency, none where it is always there; `tests` is what the tests alone need.
fn bringers() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut found = features();
    for (dependency, _) in foreign(LOCAL, "dependencies") {
        found.entry(dependency).or_default().insert("local");
    }
    for (dependency, _) in foreign(MANIFEST, "dev-dependencies") {
        found.entry(dependency).or_default().insert("tests");
    }
    let always = foreign(MANIFEST, "dependencies").filter(|(_, source)| !source.contains("optional = true"));
    for (dependency, _) in always.chain(foreign(TEMPLATE, "dependencies")) {
        found.insert(dependency, BTreeSet::new());
    }
    found.into_iter().filter(|(dependency, _)| !dependency.starts_with("stackgen-")).collect()
}

#[test]
fn every_dependency_has_its_reason_and_its_features() {
    let rows = table(ARCHITECTURE, "| dependency | feature | why |");
    for (dependency, features) in bringers() {
        let row = rows.iter().find(|row| row[0].split(", ").any(|word| names(word, dependency)));
        let row = row.unwrap_or_else(|| panic!("`{dependency}` has no reason"));
        let told: BTreeSet<_> = row[1].split(", ").filter(|feature| !feature.is_empty()).collect();
        assert_eq!(told, features, "{dependency}");
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let rows = table(README, "| command | what it does |");
    let told: BTreeSet<_> =
        rows.iter().flat_map(|row| quoted(row[0])).filter_map(|command| command.split(' ').next()).collect();
    let help = Command::new(env!("CARGO_BIN_EXE_stackgen")).arg("--help").output().expect("the program runs");
    let help = String::from_utf8(help.stdout).expect("help is text");
    let (_, listed) = help.split_once("Commands:\n").expect("it lists commands");
    let listed = listed.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let known: BTreeSet<_> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(told, known.into_iter().filter(|name| *name != "help").collect());
}

/// The first block of code of the README in this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n```{language}\n")).expect("there is one");
    rest.split("\n```").next().unwrap_or_default()
}

#[test]
fn the_readme_shows_the_stack_file_as_it_is() {
    let file = include_str!("../../stacks/protected-api.yaml");
    // What begins with a comment is the head of the file, and the findings of checking tools.
    let shown: Vec<_> = file.trim_end().split("\n\n").filter(|part| !part.starts_with('#')).collect();
    assert_eq!(block("yaml"), shown.join("\n\n"));
}
