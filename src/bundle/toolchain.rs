//! How cargo is called, so that what it builds is small, reproducible and loadable by Lambda.
//!
//! Everything is told on the command line: nobody's `Cargo.toml` or `.cargo/config.toml` is edited. There it would
//! count more than anything else, so nothing is told that users have set themselves, in these files or in the environment.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bundle::{Architecture, Error, FunctionSource, Purpose};

/// The profile `lambda`: the smallest of what was tried and as fast to start as any. `panic = "unwind"` lets the
/// runtime answer for a function that panics.
const PROFILE: [(&str, &str); 6] = [
    ("inherits", r#""release""#),
    ("opt-level", r#""z""#),
    ("lto", r#""fat""#),
    ("codegen-units", "1"),
    ("strip", "true"),
    ("panic", r#""unwind""#),
];

/// The GLIBC that `cargo zigbuild` links for, Lambda's.
const GLIBC: &str = "2.34";

/// Our own settings: with others, the same sources become another program.
pub(super) const SETTINGS: ([(&str, &str); 6], &str) = (PROFILE, GLIBC);

/// Programs whose being there decides how cargo is called.
pub(super) const HELPERS: [&str; 3] = ["cargo-zigbuild", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"];

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const UNIT_SEPARATOR: &str = "\u{1f}";

/// How cargo is called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recipe {
    /// `build` or `zigbuild`.
    pub(super) subcommand: &'static str,
    /// What follows the packages.
    pub(super) arguments: Vec<String>,
    /// What is set in the environment.
    pub(super) environment: Vec<(String, OsString)>,
}

/// The cargo of this run: the one that runs us, or the one on the path.
pub(super) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()).into()
}

/// The compiler of this run.
pub(super) fn rustc() -> PathBuf {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into()
}

/// What keeps cargo from running at all in a folder; nothing when it does.
pub(super) fn trouble(folder: &Path) -> Option<Error> {
    let output = Command::new(cargo()).arg("--version").current_dir(folder).output().ok()?;
    let reason = || reason(&String::from_utf8_lossy(&output.stderr)).to_owned();
    (!output.status.success()).then(|| Error::CargoTrouble { folder: folder.to_owned(), reason: reason() })
}

/// What a tool says, without the word before it.
pub(super) fn reason(said: &str) -> &str {
    said.trim().trim_start_matches("error: ")
}

/// How cargo is called for the functions of one workspace and processor; `function` is the one that errors name.
pub(super) fn recipe(
    function: &FunctionSource,
    root: &Path,
    architecture: Architecture,
    purpose: Purpose,
) -> Result<Recipe, Error> {
    match purpose {
        Purpose::Local => Ok(Recipe { subcommand: "build", ..Recipe::default() }),
        Purpose::Deploy => deploy(function, root, architecture),
    }
}

fn deploy(function: &FunctionSource, root: &Path, architecture: Architecture) -> Result<Recipe, Error> {
    let target = architecture.target();
    let config = Configuration::of(root);
    let zig = is_on_path("cargo-zigbuild");
    let is_native = cfg!(target_os = "linux") && architecture == Architecture::host();
    if !is_native && !knows(root, target) {
        return Err(Error::NoTarget { function: function.id.clone(), target: target.to_owned() });
    }
    let mut recipe = Recipe { subcommand: "build", ..Recipe::default() };
    if zig {
        recipe.subcommand = "zigbuild";
        recipe.arguments.extend(["--target".to_owned(), format!("{target}.{GLIBC}")]);
    } else {
        recipe.arguments.extend(["--target".to_owned(), target.to_owned()]);
        recipe.environment.extend(if is_native { None } else { linker(function, architecture, &config)? });
    }
    recipe.arguments.extend(["--profile".to_owned(), "lambda".to_owned()]);
    if !fs::read_to_string(root.join("Cargo.toml")).is_ok_and(|manifest| has_lambda_profile(&manifest)) {
        let ours = PROFILE.into_iter().filter(|(key, _)| !config.sets_profile(key));
        let settings = ours.map(|(key, value)| format!("profile.lambda.{key}={value}"));
        recipe.arguments.extend(settings.flat_map(|setting| ["--config".to_owned(), setting]));
    }
    if root.join("Cargo.lock").is_file() {
        recipe.arguments.push("--locked".to_owned());
    }
    recipe.add_remapping(&config, target, flags_of_environment());
    Ok(recipe)
}

impl Recipe {
    /// Takes the place of cargo's own folder out of the program: two machines build the same bytes. The flags that the
    /// user has set stay: cargo takes them from one place only, so ours go to the same place.
    fn add_remapping(&mut self, config: &Configuration, target: &str, environment: Option<Vec<String>>) {
        let Some(home) = cargo_home() else { return };
        let flag = format!("--remap-path-prefix={}=/cargo", home.display());
        if let Some(flags) = environment {
            let all: Vec<String> = flags.into_iter().chain([flag]).collect();
            self.environment.push(("CARGO_ENCODED_RUSTFLAGS".to_owned(), all.join(UNIT_SEPARATOR).into()));
            return;
        }
        let key = if config.sets(target, "rustflags") { format!("target.{target}") } else { "build".to_owned() };
        let list = serde_json::Value::from(vec![flag]);
        self.arguments.extend(["--config".to_owned(), format!("{key}.rustflags={list}")]);
    }
}

/// The flags that the environment sets, in the order in which cargo looks.
fn flags_of_environment() -> Option<Vec<String>> {
    if let Ok(flags) = std::env::var("CARGO_ENCODED_RUSTFLAGS") {
        return Some(flags.split(UNIT_SEPARATOR).filter(|flag| !flag.is_empty()).map(str::to_owned).collect());
    }
    let flags = std::env::var("RUSTFLAGS").ok()?;
    Some(flags.split_whitespace().map(str::to_owned).collect())
}

fn cargo_home() -> Option<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) => Some(home.into()),
        None => Some(std::env::home_dir()?.join(".cargo")),
    }
}

/// Whether a workspace's manifest has a profile `lambda` of its own, which then counts instead of ours.
fn has_lambda_profile(manifest: &str) -> bool {
    assigned(manifest).any(|key| key == "profile.lambda" || key.starts_with("profile.lambda."))
}

/// Whether the toolchain of a folder has the standard library of a target.
fn knows(root: &Path, target: &str) -> bool {
    let output =
        Command::new(rustc()).args(["--print", "target-libdir", "--target", target]).current_dir(root).output();
    let Some(folder) = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()) else { return false };
    let Ok(entries) = fs::read_dir(folder.trim()) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

/// The linker for another processor: the user's own, else the one that Linux distributions bring.
fn linker(
    function: &FunctionSource,
    architecture: Architecture,
    config: &Configuration,
) -> Result<Option<(String, OsString)>, Error> {
    let target = architecture.target();
    let variable = variable(target, "linker");
    if std::env::var_os(&variable).is_some() || config.sets(target, "linker") {
        return Ok(None);
    }
    let gcc = match architecture {
        Architecture::X86_64 => "x86_64-linux-gnu-gcc",
        Architecture::Arm64 => "aarch64-linux-gnu-gcc",
    };
    if is_on_path(gcc) {
        return Ok(Some((variable, gcc.into())));
    }
    Err(Error::NoLinker { function: function.id.clone(), target: target.to_owned(), variable })
}

/// The environment variable that stands for `target.<target>.<key>`.
fn variable(target: &str, key: &str) -> String {
    format!("CARGO_TARGET_{target}_{key}").to_uppercase().replace('-', "_")
}

/// The environment variable that stands for `profile.lambda.<key>`.
fn profile_variable(key: &str) -> String {
    format!("CARGO_PROFILE_LAMBDA_{key}").to_uppercase().replace('-', "_")
}

fn is_on_path(program: &str) -> bool {
    on_path(Path::new(program)).is_some()
}

/// The program that a name stands for; one with a folder stands for itself.
pub(super) fn on_path(program: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The configuration files that cargo reads for a folder, there or not.
pub(super) fn configs(root: &Path) -> Vec<PathBuf> {
    let above = root.ancestors().map(|folder| folder.join(".cargo"));
    above.chain(cargo_home()).flat_map(|folder| [folder.join("config.toml"), folder.join("config")]).collect()
}

/// What cargo's configuration files say about targets and the profile. Only asked whether something is set: reading
/// them whole is cargo's own business.
#[derive(Debug)]
struct Configuration(Vec<String>);

impl Configuration {
    /// What cargo reads for a folder.
    fn of(root: &Path) -> Self {
        Self(configs(root).into_iter().filter_map(|file| fs::read_to_string(file).ok()).collect())
    }

    /// Whether a key of `[target.…]` is set, be it for this very target or by a `cfg(…)`.
    fn sets(&self, target: &str, key: &str) -> bool {
        let is_meant = |set: &str| set.starts_with("target.") && set.ends_with(key);
        std::env::var_os(variable(target, key)).is_some() || self.assigns(is_meant)
    }

    /// Whether a key of `[profile.lambda]` is set.
    fn sets_profile(&self, key: &str) -> bool {
        let wanted = format!("profile.lambda.{key}");
        std::env::var_os(profile_variable(key)).is_some() || self.assigns(|set| set == wanted)
    }

    fn assigns(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|text| assigned(text).any(|set| is_meant(&set)))
    }
}

/// The keys that a TOML file assigns, each after the table that it stands in.
fn assigned(text: &str) -> impl Iterator<Item = String> {
    let mut table = String::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.flat_map(move |line| {
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            table = format!("{}.", name.trim());
            return Vec::new();
        }
        assigned_by(line).into_iter().map(|key| format!("{table}{key}").replace(['"', '\''], "")).collect()
    })
}

/// The key of a line, and those of the table in line that it may stand for.
fn assigned_by(line: &str) -> Vec<String> {
    let Some((key, value)) = line.split_once('=') else { return Vec::new() };
    let mut keys = vec![key.trim().to_owned()];
    let Some(table) = value.trim_start().strip_prefix('{') else { return keys };
    let mut within = vec![format!("{}.", key.trim())];
    for part in table.split_inclusive(['{', ',', '}']) {
        let Some(table) = within.last() else { break };
        // What is cut at a comma within a text is no key.
        let name = part.split_once('=').map(|(name, _)| name.trim()).filter(|it| it.matches('"').count() % 2 == 0);
        let key = format!("{table}{}", name.unwrap_or_default());
        match part.chars().last() {
            Some('{') => within.push(format!("{key}.")),
            Some('}') => drop(within.pop()),
            _ => {}
        }
        keys.extend(name.map(|_| key));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_target_tables_count() {
        let has = |text: &str, key| Configuration(vec![text.to_owned()]).sets("mips", key);
        assert!(has("[target.x86_64-unknown-linux-gnu]\nrustflags = [\"-Ctarget-cpu=v2\"]", "rustflags"));
        assert!(has("[target.'cfg(unix)']\nlinker=\"lld\"", "linker"));
        assert!(has("target.x86_64-unknown-linux-gnu.linker = \"lld\"", "linker"));
        assert!(!has("[target.x]\nrunner = 1\n[build]\nrustflags = []", "rustflags"));
        assert!(!has("[build]\ntarget = \"x\"\n# linker = 1", "linker"));
    }

    #[test]
    fn a_profile_of_a_manifest_counts_instead_of_ours() {
        for own in [
            "[profile.lambda]\ninherits = \"release\"",
            "[profile.lambda] # ours\ninherits = \"release\"",
            "[profile]\nlambda = { inherits = \"release\" }",
            "[profile.\"lambda\"]\ninherits = \"release\"",
            "profile.lambda.inherits = \"release\"",
        ] {
            assert!(has_lambda_profile(own), "{own}");
        }
        for other in
            ["", "[profile.release]\nlto = true", "# [profile.lambda]\n# lto = true", "[profile.lambda2]\nlto = 1"]
        {
            assert!(!has_lambda_profile(other), "{other}");
        }
    }

    #[test]
    fn a_setting_of_the_profile_that_the_user_has_made_stays() {
        let sets = |text: &str, key| Configuration(vec![text.to_owned()]).sets_profile(key);
        assert!(sets("[profile.lambda]\nopt-level = 3", "opt-level"));
        assert!(sets("profile.lambda.opt-level = 3", "opt-level"));
        assert!(sets("[profile]\nlambda = { opt-level = 3 }", "opt-level"));
        assert!(sets("profile.lambda = { opt-level = 3 }", "opt-level"));
        assert!(sets("[profile]\nlambda.opt-level = 3", "opt-level"));
        assert!(!sets("[profile.lambda]\nopt-level = 3", "lto"));
        assert!(!sets("[profile.release]\nopt-level = 3", "opt-level"));
        assert!(!sets("[profile.lambda.package.regex]\nopt-level = 3", "opt-level"));
    }

    #[test]
    fn ours_goes_where_the_users_flags_are() {
        let target = "x86_64-unknown-linux-gnu";
        let setting = |text: &str| {
            let mut recipe = Recipe::default();
            recipe.add_remapping(&Configuration(vec![text.to_owned()]), target, None);
            recipe.arguments.get(1).cloned().unwrap_or_default()
        };
        assert!(
            setting("[target.'cfg(all())']\nrustflags = []").starts_with("target.x86_64-unknown-linux-gnu.rustflags=")
        );
        assert!(setting("[build]\nrustflags = []").starts_with("build.rustflags=[\"--remap-path-prefix="));
    }

    #[test]
    fn flags_of_the_environment_stay() {
        let mut recipe = Recipe::default();
        recipe.add_remapping(
            &Configuration(Vec::new()),
            "x86_64-unknown-linux-gnu",
            Some(vec!["-Cdebuginfo=1".into()]),
        );
        let [(name, flags)] = &recipe.environment[..] else { panic!("{recipe:?}") };
        assert_eq!(name, "CARGO_ENCODED_RUSTFLAGS");
        assert!(flags.to_string_lossy().starts_with("-Cdebuginfo=1\u{1f}--remap-path-prefix="));
        assert!(recipe.arguments.is_empty());
    }

    #[test]
    fn a_missing_target_is_noticed() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(!knows(here, "mips64-unknown-linux-muslabi64"));
        if cfg!(target_os = "linux") {
            assert!(knows(here, Architecture::host().target()));
        }
    }

    #[test]
    fn variables_are_named_as_cargo_reads_them() {
        assert_eq!(variable("aarch64-unknown-linux-gnu", "linker"), "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER");
        assert_eq!(profile_variable("codegen-units"), "CARGO_PROFILE_LAMBDA_CODEGEN_UNITS");
    }
}
