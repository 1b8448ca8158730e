//! Symbolic links of a zip: what they lead to takes their place, as it does in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// How many links Linux follows on the way to one file.
const MOST: usize = 40;

/// How many names may come of the links of a zip: as many as a plain zip holds entries. There are twice as many with
/// every folder of two links that both lead to the next one.
const MOST_NAMES: usize = 65_535;

/// The longest path that Linux takes, in bytes.
pub(super) const LONGEST_PATH: usize = 4096;

/// What a zip holds besides files.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// What each link says of where it leads, by its name.
    links: BTreeMap<String, String>,
    folders: BTreeSet<String>,
}

/// Why nothing can take the place of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    /// It leads out of the zip, to nothing in it, or on and on.
    Nowhere,
    /// It stands for more than could be unpacked.
    TooMuch,
}

impl Links {
    /// Takes in a link.
    pub(super) fn insert(&mut self, name: String, target: String) {
        self.links.insert(name, target);
    }

    /// Takes in a folder, whose name may end with a slash.
    pub(super) fn insert_folder(&mut self, name: &str) {
        self.folders.insert(name.trim_end_matches('/').to_owned());
    }

    /// The file that each name stands for that comes of the links.
    ///
    /// # Errors
    /// The name of a link whose place nothing can take.
    pub(super) fn follow(&self, files: &BTreeSet<String>) -> Result<BTreeMap<String, String>, (&str, Stray)> {
        let mut journey = Journey { links: self, files, within: Vec::new(), left: MOST_NAMES, found: BTreeMap::new() };
        for name in self.links.keys() {
            journey.visit(name, name).map_err(|stray| (name.as_str(), stray))?;
        }
        Ok(journey.found)
    }

    /// The path without links; `None` where it leads out of the zip, or on and on.
    fn place(&self, path: &str) -> Option<String> {
        let mut ahead: Vec<&str> = path.split('/').rev().collect();
        let mut place: Vec<&str> = Vec::new();
        let mut followed = 0;
        while let Some(part) = ahead.pop() {
            match part {
                "" | "." => {}
                ".." => drop(place.pop()?),
                part => {
                    place.push(part);
                    let Some(target) = self.links.get(&place.join("/")) else { continue };
                    followed += 1;
                    if followed > MOST || target.starts_with('/') {
                        return None;
                    }
                    place.pop();
                    ahead.extend(target.split('/').rev());
                }
            }
        }
        Some(place.join("/"))
    }
}

struct Journey<'a> {
    links: &'a Links,
    files: &'a BTreeSet<String>,
    /// The folders whose contents are being visited.
    within: Vec<String>,
    /// How many more names there may be.
    left: usize,
    found: BTreeMap<String, String>,
}

impl Journey<'_> {
    /// Finds what `link` leads to, and puts it at `name`.
    fn visit(&mut self, name: &str, link: &str) -> Result<(), Stray> {
        let place = self.links.place(link).ok_or(Stray::Nowhere)?;
        self.count(name)?;
        if self.files.contains(&place) {
            self.found.insert(name.to_owned(), place);
            return Ok(());
        }
        if self.within.contains(&place) || self.within.len() >= MOST {
            return Err(Stray::Nowhere);
        }
        let start = if place.is_empty() { String::new() } else { format!("{place}/") };
        let is_known = self.links.folders.contains(&place);
        self.within.push(place);
        let is_folder = self.visit_folder(name, &start)?;
        self.within.pop();
        if is_folder || is_known { Ok(()) } else { Err(Stray::Nowhere) }
    }

    /// Puts what is below `start` below `name`; says whether there is anything.
    fn visit_folder(&mut self, name: &str, start: &str) -> Result<bool, Stray> {
        let from = (Bound::Included(start), Bound::Unbounded);
        let (all_files, all_links) = (self.files.range::<str, _>(from), self.links.links.range::<str, _>(from));
        let mut files = all_files.map_while(|file| Some((file, file.strip_prefix(start)?))).peekable();
        let mut links = all_links.map_while(|(link, _)| Some((link, link.strip_prefix(start)?))).peekable();
        let is_folder = files.peek().is_some() || links.peek().is_some();
        for (file, rest) in files {
            let name = format!("{name}/{rest}");
            self.count(&name)?;
            self.found.insert(name, file.clone());
        }
        for (link, rest) in links {
            self.visit(&format!("{name}/{rest}"), link)?;
        }
        Ok(is_folder)
    }

    /// Counts a name, be it that of an empty folder: working it out takes time as well.
    fn count(&mut self, name: &str) -> Result<(), Stray> {
        let left = self.left.checked_sub(1).filter(|_| name.len() <= LONGEST_PATH);
        self.left = left.ok_or(Stray::TooMuch)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(files: &[&str], links: &[(&str, &str)]) -> Result<Vec<(String, String)>, (String, Stray)> {
        let mut all = Links::default();
        all.insert_folder("empty/");
        links.iter().for_each(|(name, target)| all.insert((*name).to_owned(), (*target).to_owned()));
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        all.follow(&files).map(|found| found.into_iter().collect()).map_err(|(name, stray)| (name.to_owned(), stray))
    }

    #[test]
    fn links_lead_to_files_and_folders_of_the_zip() {
        let files = ["v1/a", "v1/b/c", "top"];
        for (link, target, expected) in [
            ("x", "top", vec![("x", "top")]),
            ("v1/b/x", "../../top", vec![("v1/b/x", "top")]),
            ("x", "./v1//b/", vec![("x/c", "v1/b/c")]),
            ("x", "v1", vec![("x/a", "v1/a"), ("x/b/c", "v1/b/c")]),
            ("x", "empty", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(at, of)| (at.to_owned(), of.to_owned())).collect();
            assert_eq!(followed(&files, &[(link, target)]), Ok(expected), "{link} {target}");
        }
    }

    #[test]
    fn links_lead_on_through_links() {
        let found = followed(&["v1/a"], &[("now", "v1"), ("v1/again", "a"), ("x", "now/again")]).expect("all lead on");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["now/a", "now/again", "v1/again", "x"]);
        assert!(found.iter().all(|(_, file)| file == "v1/a"), "{found:?}");
    }

    /// Folders, in each of which every link of `fan` leads to the next one.
    fn nested(folders: usize, fan: &[&str]) -> Vec<(String, String)> {
        let links =
            |folder: usize| fan.iter().map(move |name| (format!("{folder}/{name}"), format!("../{}", folder + 1)));
        (0..folders).flat_map(links).collect()
    }

    #[test]
    fn links_that_stand_for_more_than_could_be_unpacked_are_refused() {
        for (folders, fan, stray) in [(30, ["x", "y"].as_slice(), Stray::TooMuch), (1000, &["x"], Stray::Nowhere)] {
            let links = nested(folders, fan);
            let links: Vec<_> = links.iter().map(|(name, target)| (name.as_str(), target.as_str())).collect();
            for end in ["file", "empty/file"] {
                let last = format!("{folders}/{end}");
                assert_eq!(followed(&[&last], &links), Err(("0/x".to_owned(), stray)), "{folders} {end}");
            }
        }
        let long = "long/".repeat(500);
        assert!(followed(&[&format!("{long}file")], &[(&format!("{long}x"), "file")]).is_ok());
        let longer = format!("to/{}", "long/".repeat(820));
        assert_eq!(followed(&[&format!("{longer}file")], &[("x", "to")]), Err(("x".to_owned(), Stray::TooMuch)));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let nowhere = |name: &str| Err((name.to_owned(), Stray::Nowhere));
        for target in ["missing", "../top", "v1/../../top", "/etc/passwd", "x", ".", ""] {
            assert_eq!(followed(&["top", "v1/a"], &[("x", target)]), nowhere("x"), "{target}");
        }
        assert_eq!(followed(&["v1/a"], &[("v1/x", "../v1")]), nowhere("v1/x"));
        assert_eq!(followed(&[], &[("x", "y"), ("y", "x")]), nowhere("x"));
    }
}
