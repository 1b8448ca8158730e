//! Files that are written once and then belong to the user: projects and function crates, from `templates/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use handlebars::Handlebars;
use miette::Diagnostic;
use serde::Serialize;
use stackgen::model::lambda::Function;
use stackgen::model::{Resource as _, Stack};
use stackgen::project::Project;
use stackgen::spec;
use thiserror::Error;

/// A file to be, by its path with placeholders, and its template.
type Template = (&'static str, &'static str);

/// The files of a project, besides those of its function.
const PROJECT: [Template; 4] = [
    ("Cargo.toml", include_str!("../../templates/project/Cargo.toml.hbs")),
    (".gitignore", include_str!("../../templates/project/gitignore.hbs")),
    ("README.md", include_str!("../../templates/project/README.md.hbs")),
    ("stacks/{{project}}.yaml", include_str!("../../templates/project/stack.yaml.hbs")),
];

/// The files of a function crate.
const FUNCTION: [Template; 3] = [
    ("functions/{{name}}/Cargo.toml", include_str!("../../templates/function/Cargo.toml.hbs")),
    ("functions/{{name}}/src/lib.rs", include_str!("../../templates/function/lib.rs.hbs")),
    ("functions/{{name}}/src/main.rs", include_str!("../../templates/function/main.rs.hbs")),
];

/// Names that a crate cannot have, with what takes them.
const TAKEN: [(&str, &str); 3] = [
    (
        "that is a word of Rust",
        "abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if \
         impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true try \
         type typeof unsafe unsized use virtual where while yield",
    ),
    ("every function uses a crate of that name", "alloc core lambda-http proc-macro serde-json std tokio"),
    ("cargo keeps that name for itself", "build deps examples incremental test"),
];

/// Why nothing was written, or not all.
#[derive(Debug, Error, Diagnostic)]
pub(super) enum Error {
    /// A name that cargo would refuse.
    #[error("`{name}` cannot be the name of a function")]
    #[diagnostic(
        code(stackgen::scaffold::name),
        help("a lower-case letter first, then lower-case letters, digits and single hyphens, 64 at most")
    )]
    FunctionName { name: String },
    /// A name that means something else.
    #[error("`{name}` cannot be the name of a function")]
    #[diagnostic(code(stackgen::scaffold::name), help("{why}; choose another"))]
    Taken { name: String, why: &'static str },
    /// A name that CloudFormation would refuse.
    #[error("`{name}` cannot be the name of a stack")]
    #[diagnostic(
        code(stackgen::scaffold::name),
        help("choose one with `--name`: a letter first, then letters, digits and hyphens, 128 at most")
    )]
    ProjectName { name: String },
    /// The crates of another project lie around it, and no workspace of cargo can hold another.
    #[error("`{}` lies below the functions of another project", folder.display())]
    #[diagnostic(
        code(stackgen::scaffold::inside),
        help("nothing was written; choose a folder outside of `{}`", functions.display())
    )]
    Inside { folder: PathBuf, functions: PathBuf },
    /// Files are in the way.
    #[error("{files} would be overwritten")]
    #[diagnostic(
        code(stackgen::scaffold::exists),
        help("nothing was written; move away what is there, or choose another folder or name")
    )]
    Exists { files: String },
    /// A file cannot be written.
    #[error("cannot write `{}`", file.display())]
    #[diagnostic(
        code(stackgen::scaffold::unwritable),
        help("check that you may write there and that the disk is not full")
    )]
    Unwritable { file: PathBuf, source: io::Error },
}

/// What the templates are filled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Names {
    /// The project, which is also its stack.
    project: String,
    /// The function's crate.
    pub(super) name: String,
    /// The crate as Rust code names it.
    #[serde(rename = "crate")]
    crate_name: String,
    /// The function's id in the stack.
    pub(super) id: String,
}

impl Names {
    /// The names that belong to a function in a project.
    ///
    /// # Errors
    /// When cargo would refuse the name.
    pub(super) fn of(project: &str, function: &str) -> Result<Self, Error> {
        check_name(function)?;
        Ok(Self {
            project: project.to_owned(),
            name: function.to_owned(),
            crate_name: function.replace('-', "_"),
            id: function.split('-').map(capitalized).collect(),
        })
    }

    /// The same with an id that is free: the function `users` is called `UsersFunction` beside a pool `Users`.
    pub(super) fn with_free_id(self, is_free: impl Fn(&Self) -> bool) -> Self {
        let ids = ["", "Function", "Function2", "Function3"].map(|end| format!("{}{end}", self.id));
        let mut all = ids.into_iter().map(|id| Self { id, ..self.clone() });
        all.find(is_free).unwrap_or(self)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if !is_well_formed(name) {
        return Err(Error::FunctionName { name: name.to_owned() });
    }
    match TAKEN.into_iter().find(|(_, names)| names.split_whitespace().any(|taken| taken == name)) {
        Some((why, _)) => Err(Error::Taken { name: name.to_owned(), why }),
        None => Ok(()),
    }
}

fn is_well_formed(name: &str) -> bool {
    let parts_are_words = name
        .split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    name.len() <= 64 && parts_are_words && starts_well
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The files of a project with one function, by path. `schema` is what editors check stack files with.
pub(super) fn project(names: &Names, schema: String) -> BTreeMap<String, String> {
    let names = &names.clone().with_free_id(is_free_in_the_template);
    let mut files = rendered(&PROJECT, names);
    files.extend(function(names));
    files.insert("stack.schema.json".to_owned(), schema);
    files
}

/// Whether the stack of a new project is sound with that function.
fn is_free_in_the_template(names: &Names) -> bool {
    let stack = rendered(&PROJECT, names).into_iter().find(|(path, _)| path.ends_with(".yaml"));
    stack.is_some_and(|(path, text)| spec::read(&path, text.as_bytes()).is_ok())
}

/// Whether a stack has none of the ids that the function would bring.
pub(super) fn is_free_in(stack: &Stack, names: &Names) -> bool {
    let derived = Function::from_crate(names.name.as_str()).derived(&names.id);
    let brought: BTreeSet<&str> = derived.iter().map(|one| one.id.as_str()).chain([names.id.as_str()]).collect();
    let mut is_free = true;
    stack.visit(&mut |declared| {
        let mut ids = declared.derived.iter().map(|one| one.id.as_str()).chain([declared.id]);
        is_free &= !ids.any(|id| brought.contains(id));
    });
    is_free
}

/// Refuses a folder for a project that lies among the functions of another.
///
/// # Errors
/// When it does.
pub(super) fn check_place(folder: &Path) -> Result<(), Error> {
    let folder = resolved(folder);
    let around = folder.parent().and_then(|parent| Project::discover(parent).ok());
    match around.map(|project| project.functions()).filter(|functions| folder.starts_with(functions)) {
        Some(functions) => Err(Error::Inside { folder, functions }),
        None => Ok(()),
    }
}

/// The path without links and `..`, as far as it is there.
fn resolved(folder: &Path) -> PathBuf {
    let whole = |there: &Path| Some(there.canonicalize().ok()?.join(folder.strip_prefix(there).ok()?));
    let found = folder.ancestors().find_map(whole).unwrap_or_else(|| folder.to_owned());
    found.components().collect()
}

/// The files of a function crate, by path.
pub(super) fn function(names: &Names) -> BTreeMap<String, String> {
    rendered(&FUNCTION, names)
}

fn rendered(templates: &[Template], names: &Names) -> BTreeMap<String, String> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(handlebars::no_escape);
    let render = |text| handlebars.render_template(text, names).expect("a test renders every template");
    templates.iter().map(|(path, text)| (render(path), render(text))).collect()
}

/// Writes files below a folder, all of them or, when one is in the way, none.
///
/// # Errors
/// When a file exists or cannot be written.
pub(super) fn write(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), Error> {
    let mut existing = files.keys().filter(|file| folder.join(file).exists());
    if let Some(first) = existing.next() {
        let more = existing.count();
        let files = if more == 0 { format!("`{first}`") } else { format!("`{first}` and {more} more") };
        return Err(Error::Exists { files });
    }
    for (name, text) in files {
        let file = folder.join(name);
        write_new(&file, text).map_err(|source| Error::Unwritable { file, source })?;
    }
    Ok(())
}

fn write_new(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::create_new(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(project: &str, function: &str) -> Names {
        Names::of(project, function).expect("the name is good")
    }

    #[test]
    fn the_repositorys_own_function_is_what_is_written() {
        let files = function(&names("protected-api", "protected"));
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions/protected");
        for file in ["src/lib.rs", "src/main.rs"] {
            let expected = fs::read_to_string(own.join(file)).expect("it is there");
            assert_eq!(files[&format!("functions/protected/{file}")], expected);
        }
        let manifest = fs::read_to_string(own.join("Cargo.toml")).expect("it is there");
        let dependencies = |text: &str| text.split_once("[dependencies]").map(|(_, rest)| rest.to_owned());
        assert_eq!(dependencies(&files["functions/protected/Cargo.toml"]), dependencies(&manifest));
    }

    #[test]
    fn every_template_is_filled() {
        let files = project(&names("my-api", "say-hello"), "{}".to_owned());
        let paths: Vec<&str> = files.keys().map(String::as_str).collect();
        let expected = [
            ".gitignore",
            "Cargo.toml",
            "README.md",
            "functions/say-hello/Cargo.toml",
            "functions/say-hello/src/lib.rs",
            "functions/say-hello/src/main.rs",
            "stack.schema.json",
            "stacks/my-api.yaml",
        ];
        assert_eq!(paths, expected);
        assert!(files.values().all(|text| !text.contains("{{")), "{files:?}");
        assert!(files["stacks/my-api.yaml"].contains("GET /say-hello: { function: SayHello, authorizer: Members }"));
        assert!(files["functions/say-hello/src/main.rs"].contains("say_hello::handle"));
    }

    #[test]
    fn names_are_those_that_cargo_takes() {
        for name in ["hello", "a1", "say-hello-2", "users"] {
            check_name(name).expect("cargo takes it");
        }
        let long = "a".repeat(65);
        for name in ["", "Hello", "1st", "-a", "a-", "a--b", "a_b", "é", "a/b", "..", &long] {
            assert!(matches!(check_name(name), Err(Error::FunctionName { .. })), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_taken_is_refused_with_the_reason() {
        let taken = [
            ("word of Rust", ["fn", "yield"]),
            ("a crate of that name", ["tokio", "lambda-http"]),
            ("cargo keeps", ["build", "deps"]),
            ("cargo keeps", ["examples", "incremental"]),
        ];
        for (reason, names) in taken {
            for name in names {
                let told = check_name(name).expect_err("it is taken");
                assert!(matches!(&told, Error::Taken { why, .. } if why.contains(reason)), "{name}: {told:?}");
            }
        }
    }

    #[test]
    fn a_function_is_called_otherwise_than_what_the_template_has() {
        for (function, id) in [("users", "UsersFunction"), ("api", "ApiFunction"), ("web", "WebFunction"), ("a", "A")] {
            let files = project(&names("my-api", function), "{}".to_owned());
            let stack = spec::read("stacks/my-api.yaml", files["stacks/my-api.yaml"].as_bytes()).expect("it is sound");
            assert_eq!(stack.functions.keys().collect::<Vec<_>>(), [id]);
            let again = names("", function).with_free_id(|names| is_free_in(&stack, names));
            assert_ne!(again.id, id, "what the stack has already is not free");
        }
    }

    #[test]
    fn nothing_is_written_when_something_is_in_the_way() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("README.md"), "mine").expect("the folder is writable");
        let files = project(&names("my-api", "hello"), "{}".to_owned());
        let error = write(folder.path(), &files).expect_err("a file is in the way");
        assert_eq!(error.to_string(), "`README.md` would be overwritten");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
    }
}
