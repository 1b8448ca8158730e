//! From a function's source to what Lambda runs: a reproducible, checked zip, named by what is in it.
//!
//! Crates are built by cargo, which decides what changed; it is asked only where something that it looks at has changed.
//! Zips are kept under the digest of their contents, so an unchanged function is neither packed nor uploaded again.

mod archive;
mod build;
mod elf;
mod memory;
mod stop;
mod toolchain;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::project::Project;

use build::Built;
use memory::Memory;

pub use stop::Stop;

/// A function, and where its code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSource {
    /// Its id in the stack.
    pub id: String,
    /// Where its code comes from.
    pub code: Code,
    /// The processor that it runs on in AWS.
    pub architecture: Architecture,
}

/// Where a function's code comes from. Paths are relative to the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A crate.
    Crate {
        /// Its folder, or its name in the project's workspace.
        name: String,
        /// The binary to run, where it has several.
        binary: Option<String>,
    },
    /// A zip that holds an executable `bootstrap`.
    Zip(PathBuf),
    /// A folder that holds an executable `bootstrap`.
    Directory(PathBuf),
}

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    X86_64,
    /// 64-bit Arm.
    Arm64,
}

/// What the functions are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// AWS: small, fast, for the function's processor, and loadable by Lambda.
    Deploy,
    /// This machine: built quickly, sharing what `cargo build` has built already.
    Local,
}

/// How the user sees cargo at work.
#[derive(Clone, Copy)]
pub enum Progress<'a> {
    /// Cargo draws on standard error.
    Shown,
    /// What cargo says is kept for the error.
    Hidden,
    /// The same, and this is told how many crates cargo has compiled, whenever there is one more.
    Counted(&'a (dyn Fn(usize) + Sync)),
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Shown => "Shown",
            Self::Hidden => "Hidden",
            Self::Counted(_) => "Counted",
        })
    }
}

/// What Lambda runs: a zip, named by what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The function's id in the stack.
    pub id: String,
    /// SHA-256 over the names, modes and contents of its files, in hexadecimal.
    pub digest: String,
    /// The zip on disk.
    pub file: PathBuf,
    /// Size of the zip in bytes.
    pub size: u64,
}

impl Asset {
    /// The key of the zip in the bucket of assets.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}.zip", self.digest)
    }
}

/// Why a function could not be bundled.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The stack names a crate that the project does not have.
    #[error("no crate `{name}` for function `{function}`")]
    #[diagnostic(help("{help}"))]
    UnknownCrate { function: String, name: String, help: String },

    /// Cargo cannot make sense of the manifest of a function.
    #[error("cargo cannot read the crate of function `{function}`: {reason}")]
    #[diagnostic(help("mend `{}`", manifest.display()))]
    Manifest { function: String, manifest: PathBuf, reason: String },

    /// Cargo does not run where the crate is, such as when the toolchain that is chosen there is not installed.
    #[error("cargo does not run in `{}`: {reason}", folder.display())]
    #[diagnostic(help("a toolchain is chosen by `rust-toolchain.toml`, there or above, or by `RUSTUP_TOOLCHAIN`"))]
    CargoTrouble { folder: PathBuf, reason: String },

    /// A crate has no binary, not the one that is asked for, or several of which none is called `bootstrap` or like
    /// the crate.
    #[error("crate `{name}` of function `{function}` has no binary to run")]
    #[diagnostic(help("{help}"))]
    NoBinary { function: String, name: String, help: String },

    /// There is no cargo.
    #[error("cannot run `{}`", program.display())]
    #[diagnostic(help("install Rust: https://rustup.rs"))]
    NoCargo { program: PathBuf, source: io::Error },

    /// Rust's standard library for the function's processor is not installed.
    #[error("function `{function}` is built for `{target}`, which this Rust toolchain does not know")]
    #[diagnostic(help("run `rustup target add {target}`"))]
    NoTarget { function: String, target: String },

    /// Nothing links for the function's processor.
    #[error("nothing on this machine links `{function}` for `{target}`")]
    #[diagnostic(help("run `pip install cargo-zigbuild ziglang`, or set `{variable}` to a linker"))]
    NoLinker { function: String, target: String, variable: String },

    /// Cargo failed.
    #[error("cargo could not build {functions}{said}")]
    #[diagnostic(help("{help}"))]
    Build { functions: String, said: String, help: String },

    /// Cargo was stopped by a signal, such as that of Ctrl-C.
    #[error("the build of {functions} was interrupted")]
    #[diagnostic(help("nothing was uploaded; run the command again, and cargo continues where it was"))]
    Interrupted { functions: String },

    /// A zip or folder that is not there, or cannot be read.
    #[error("cannot read `{}` of function `{function}`", file.display())]
    #[diagnostic(help("paths are relative to the project; check that the file exists and that you may read it"))]
    Unreadable { function: String, file: PathBuf, source: io::Error },

    /// What is named as a zip or a folder, or lies in the folder, is something else.
    #[error("`{}` of function `{function}` is {found}", file.display())]
    #[diagnostic(help("{help}"))]
    WrongKind { function: String, file: PathBuf, found: &'static str, help: String },

    /// A zip that is none.
    #[error("`{}` of function `{function}` is not a zip that Lambda could unpack", file.display())]
    #[diagnostic(help("make it again with any zip program"))]
    BrokenZip { function: String, file: PathBuf, source: zip::result::ZipError },

    /// A zip or folder without the file that Lambda runs.
    #[error("`{}` of function `{function}` holds no executable `bootstrap`", file.display())]
    #[diagnostic(help("{help}"))]
    NoBootstrap { function: String, file: PathBuf, help: String },

    /// A zip or folder holds a name that Lambda would not unpack below its own folder.
    #[error("function `{function}` holds a file named `{name}`")]
    #[diagnostic(help("names are relative and in UTF-8, with `/` between their parts, without `..` and backslashes"))]
    FileName { function: String, name: String },

    /// A zip holds a name that is a file, and below it another.
    #[error("function `{function}` holds `{name}` both as a file and as a folder")]
    #[diagnostic(help("only one of them could be unpacked; pack it again without the other"))]
    FileAndFolder { function: String, name: String },

    /// A zip holds a symbolic link that leads out of it, to nothing in it, or in a circle.
    #[error("function `{function}` holds a link `{name}` that leads to nothing in its zip")]
    #[diagnostic(help("pack what it leads to as well, or pack files instead of links: `zip -r` without `-y` does"))]
    Link { function: String, name: String },

    /// Links of a zip lead to folders of links, and these again, until they stand for too many files or too long names.
    #[error("function `{function}` holds a link `{name}` that stands for more files than could be unpacked")]
    #[diagnostic(help(
        "each link to a folder of links repeats all that is there: pack what the function reads, and once"
    ))]
    Links { function: String, name: String },

    /// More than Lambda takes.
    #[error("function `{function}` is more than {} MB unpacked", archive::MOST_BYTES / 1024 / 1024)]
    #[diagnostic(help("that is Lambda's limit for a function and its layers; build without debug information"))]
    TooBig { function: String },

    /// `bootstrap` is neither a program nor a script.
    #[error("`bootstrap` of function `{function}` is no Linux program")]
    #[diagnostic(help("Lambda runs ELF files; build for `{target}`"))]
    NotElf { function: String, target: String },

    /// `bootstrap` is a program for another processor.
    #[error("`bootstrap` of function `{function}` is a program for {found}, and the function runs on {expected}")]
    #[diagnostic(help("build for `{target}`, or change the function's `architecture`"))]
    WrongMachine { function: String, found: String, expected: Architecture, target: String },

    /// `bootstrap` needs a newer C library than there is where it runs.
    #[error("`bootstrap` of function `{function}` needs GLIBC {needed}{symbols}, and {place} has {limit}")]
    #[diagnostic(help("{help}"))]
    Glibc { function: String, needed: Glibc, symbols: String, place: &'static str, limit: Glibc, help: String },

    /// The zip cannot be written.
    #[error("cannot write `{}`", file.display())]
    #[diagnostic(help("check that you may write there and that the disk is not full"))]
    Unwritable { file: PathBuf, source: io::Error },
}

/// A version of GLIBC, such as 2.34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

impl fmt::Display for Glibc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

impl Architecture {
    /// This machine's.
    #[must_use]
    pub fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }

    /// What Rust calls it on Linux.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

impl Purpose {
    /// The processor that a function is built for: locally it is this machine's, whatever the stack says.
    fn architecture(self, function: &FunctionSource) -> Architecture {
        match self {
            Self::Deploy => function.architecture,
            Self::Local => Architecture::host(),
        }
    }

    /// The folder of the zips.
    #[must_use]
    pub fn folder(self, project: &Project) -> PathBuf {
        match self {
            Self::Deploy => project.out(),
            Self::Local => project.state().join("assets"),
        }
    }
}

/// Builds, checks and packs functions. The assets come in the order of the functions.
///
/// # Errors
/// When a function cannot be built or packed, when what came out would not run, or when it is stopped. Nothing is half
/// written then.
pub fn bundle(
    project: &Project,
    functions: &[FunctionSource],
    purpose: Purpose,
    progress: Progress<'_>,
    stop: &Stop,
) -> Result<Vec<Asset>, Error> {
    let mut memory = Memory::of(project, functions, purpose);
    let remembered = memory.recall();
    let built = match &remembered {
        Some(_) => Built::default(),
        None => {
            memory.begin();
            build::programs(project, functions, purpose, build::Manner { progress, stop })?
        }
    };
    let remembered = remembered.unwrap_or_default();
    let assets: Vec<Asset> = functions
        .iter()
        .enumerate()
        .map(|(index, function)| match remembered.get(&index) {
            Some(asset) => Ok(asset.clone()),
            None => asset(project, function, built.programs.get(&index), purpose),
        })
        .collect::<Result<_, _>>()?;
    if let Some(watch) = built.watch {
        memory.note(watch, &assets);
    }
    if purpose == Purpose::Local {
        archive::prune(&purpose.folder(project), &assets);
    }
    Ok(assets)
}

fn asset(
    project: &Project,
    function: &FunctionSource,
    program: Option<&PathBuf>,
    purpose: Purpose,
) -> Result<Asset, Error> {
    let contents = match &function.code {
        Code::Crate { .. } => {
            archive::Contents::program(function, program.expect("every crate was built or is an error"))?
        }
        Code::Zip(file) => archive::Contents::zip(function, &project.root().join(file))?,
        Code::Directory(folder) => archive::Contents::directory(function, &project.root().join(folder))?,
    };
    elf::check(function, contents.bootstrap(), purpose)?;
    archive::pack(&function.id, &contents, &purpose.folder(project), purpose)
}

/// The folder as it is shown to the user: relative to the project where it lies within.
fn shown<'a>(project: &Project, path: &'a Path) -> &'a Path {
    path.strip_prefix(project.root()).unwrap_or(path)
}
