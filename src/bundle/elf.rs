//! Whether a program would start where it is meant to run.

use std::collections::BTreeSet;
use std::process::Command;

use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64, SHT_DYNSYM};
use object::read::elf::{FileHeader, SectionTable, Sym};
use object::{Endianness, SymbolIndex};

use crate::bundle::{Architecture, Error, FunctionSource, Glibc, Purpose};

/// GLIBC of Amazon Linux 2023, on which `provided.al2023` is built.
const LAMBDA: Glibc = Glibc(2, 34);

/// The version that `GLIBC_ABI_DT_RELR` stands for.
const DT_RELR: Glibc = Glibc(2, 36);

/// How many symbols a message names.
const NAMED: usize = 4;

/// Checks the program that Lambda is to run.
pub(super) fn check(function: &FunctionSource, program: &[u8], purpose: Purpose) -> Result<(), Error> {
    if program.starts_with(b"#!") || (purpose == Purpose::Local && !cfg!(target_os = "linux")) {
        return Ok(());
    }
    let architecture = purpose.architecture(function);
    let program = Program::read(program)
        .ok_or_else(|| Error::NotElf { function: function.id.clone(), target: architecture.target().to_owned() })?;
    check_machine(function, &program, architecture)?;
    match purpose {
        Purpose::Deploy => check_glibc(function, &program, "Lambda", LAMBDA),
        Purpose::Local => check_glibc_here(function, &program),
    }
}

fn check_machine(function: &FunctionSource, program: &Program, expected: Architecture) -> Result<(), Error> {
    if program.machine == machine(expected) {
        return Ok(());
    }
    let known = [Architecture::X86_64, Architecture::Arm64];
    let found = match known.into_iter().find(|known| machine(*known) == program.machine) {
        Some(known) => known.to_string(),
        None => format!("machine {}", program.machine),
    };
    Err(Error::WrongMachine { function: function.id.clone(), found, expected, target: expected.target().to_owned() })
}

fn machine(architecture: Architecture) -> u16 {
    match architecture {
        Architecture::X86_64 => EM_X86_64.0,
        Architecture::Arm64 => EM_AARCH64.0,
    }
}

fn check_glibc(function: &FunctionSource, program: &Program, place: &'static str, limit: Glibc) -> Result<(), Error> {
    let Some(needed) = program.newest_glibc().filter(|needed| *needed > limit) else { return Ok(()) };
    Err(Error::Glibc {
        function: function.id.clone(),
        needed,
        symbols: program.named_above(limit),
        place,
        limit,
        help:
            "run `pip install cargo-zigbuild ziglang`: stackgen then builds for the older GLIBC; or build on a system \
               as old as Amazon Linux 2023"
                .to_owned(),
    })
}

/// What was built here runs here; what came prebuilt may have been made on a newer system.
fn check_glibc_here(function: &FunctionSource, program: &Program) -> Result<(), Error> {
    if program.newest_glibc().is_none_or(|needed| needed <= LAMBDA) {
        return Ok(());
    }
    match glibc_here() {
        Some(here) => check_glibc(function, program, "this machine", here),
        None => Ok(()),
    }
}

/// This machine's GLIBC; absent where there is another C library.
fn glibc_here() -> Option<Glibc> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    glibc(String::from_utf8(output.stdout).ok()?.trim().strip_prefix("glibc ")?)
}

fn glibc(version: &str) -> Option<Glibc> {
    let mut parts = version.split('.');
    Some(Glibc(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What an ELF file says about where it runs.
#[derive(Debug, PartialEq)]
struct Program {
    machine: u16,
    /// Versions of GLIBC and what is needed of each: a symbol, or an empty text for the version as such.
    needs: BTreeSet<(Glibc, String)>,
}

impl Program {
    /// Reads a 64-bit, little-endian ELF file.
    fn read(bytes: &[u8]) -> Option<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
        let endian = header.endian().ok().filter(|endian| *endian == Endianness::Little)?;
        let sections = header.sections(endian, bytes).ok()?;
        let mut needs = needed_versions(&sections, endian, bytes).ok()?;
        needs.extend(needed_symbols(&sections, endian, bytes).ok()?);
        Some(Self { machine: header.e_machine(endian).0, needs })
    }

    fn newest_glibc(&self) -> Option<Glibc> {
        self.needs.last().map(|(version, _)| *version)
    }

    /// The symbols that are newer than `limit`, in brackets.
    fn named_above(&self, limit: Glibc) -> String {
        let names: Vec<String> = self
            .needs
            .iter()
            .filter(|(version, symbol)| *version > limit && !symbol.is_empty())
            .map(|(_, symbol)| format!("`{symbol}`"))
            .collect();
        match names.len() {
            0 => String::new(),
            count if count <= NAMED => format!(" ({})", names.join(", ")),
            count => format!(" ({} and {} more)", names[..NAMED].join(", "), count - NAMED),
        }
    }
}

type Sections<'data> = SectionTable<'data, FileHeader64<Endianness>>;
type Needs = BTreeSet<(Glibc, String)>;

/// The versions that the loader looks for before anything runs.
fn needed_versions(sections: &Sections<'_>, endian: Endianness, bytes: &[u8]) -> object::read::Result<Needs> {
    let mut needs = Needs::new();
    let Some((mut libraries, strings)) = sections.gnu_verneed(endian, bytes)? else { return Ok(needs) };
    let strings = sections.strings(endian, bytes, strings)?;
    while let Some((_, mut versions)) = libraries.next()? {
        while let Some(version) = versions.next()? {
            needs.extend(version_of(version.name(endian, strings)?).map(|version| (version, String::new())));
        }
    }
    Ok(needs)
}

/// The symbols that are looked up in GLIBC, with their versions.
fn needed_symbols(sections: &Sections<'_>, endian: Endianness, bytes: &[u8]) -> object::read::Result<Needs> {
    let mut needs = Needs::new();
    let Some(versions) = sections.versions(endian, bytes)? else { return Ok(needs) };
    let symbols = sections.symbols(endian, bytes, SHT_DYNSYM)?;
    for (index, symbol) in symbols.enumerate() {
        let version = versions.version(versions.version_index(endian, SymbolIndex(index.0)).index())?;
        if let Some(version) =
            version.filter(|_| symbol.is_undefined(endian)).and_then(|found| version_of(found.name()))
        {
            let name = symbol.name(endian, symbols.strings())?;
            needs.insert((version, String::from_utf8_lossy(name).into_owned()));
        }
    }
    Ok(needs)
}

/// The GLIBC behind the name of a version: `GLIBC_2.34` is 2.34.
fn version_of(name: &[u8]) -> Option<Glibc> {
    match std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")? {
        "ABI_DT_RELR" => Some(DT_RELR),
        version => glibc(version),
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::bundle::Code;

    fn function(architecture: Architecture) -> FunctionSource {
        FunctionSource {
            id: "Hello".into(),
            code: Code::Crate { name: "functions/hello".into(), binary: None },
            architecture,
        }
    }

    fn this_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().expect("it runs")).expect("it is readable")
    }

    #[test]
    fn what_is_too_new_is_named() {
        let program = Program::read(&this_program()).expect("it is an ELF file");
        assert!(check_glibc(&function(Architecture::host()), &program, "this machine", Glibc(99, 0)).is_ok());
        let error = check_glibc(&function(Architecture::host()), &program, "Lambda", Glibc(2, 3));
        let error = error.expect_err("nothing is that old").to_string();
        assert!(error.starts_with("`bootstrap` of function `Hello` needs GLIBC 2."), "{error}");
        assert!(error.contains(" more), and Lambda has 2.3") && error.contains("(`"), "{error}");
    }

    #[test]
    fn a_program_for_another_processor_is_refused() {
        let other = match Architecture::host() {
            Architecture::X86_64 => Architecture::Arm64,
            Architecture::Arm64 => Architecture::X86_64,
        };
        let error = check(&function(other), &this_program(), Purpose::Deploy).expect_err("it does not run there");
        assert!(matches!(error, Error::WrongMachine { expected, .. } if expected == other));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let whole = this_program();
        for bytes in [&b""[..], b"MZ", b"\x7fELF", &whole[..100], &whole[..whole.len() / 2]] {
            let error = check(&function(Architecture::host()), bytes, Purpose::Deploy).expect_err("it cannot run");
            assert!(matches!(error, Error::NotElf { .. }), "{error}");
        }
        assert!(check(&function(Architecture::host()), b"#!/bin/sh\n", Purpose::Deploy).is_ok());
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version_of(b"GLIBC_2.34"), Some(Glibc(2, 34)));
        assert_eq!(version_of(b"GLIBC_2.2.5"), Some(Glibc(2, 2)));
        assert_eq!(version_of(b"GLIBC_ABI_DT_RELR"), Some(Glibc(2, 36)));
        assert_eq!(version_of(b"GLIBC_PRIVATE"), None);
        assert_eq!(version_of(b"GCC_3.0"), None);
    }
}
