//! The flags that ask for a bad token. They are those of [`Flaw`], in its words.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use stackgen::access::flaw::Flaw;

/// At most one flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flawed {
    /// None for a good token.
    pub(crate) flaw: Option<Flaw>,
}

const HEADING: &str = "Bad tokens, to try doors with; the local cloud alone makes them";

/// The flaws that have flags of their own here. `--id` is a good token, which is bad only where another one is due.
fn flaws() -> impl Iterator<Item = Flaw> {
    Flaw::ALL.into_iter().filter(|flaw| *flaw != Flaw::Id)
}

/// The long name of a flaw's flag, and the value that it takes.
fn flag(flaw: Flaw) -> (&'static str, Option<&'static str>) {
    let flag = flaw.flag().trim_start_matches("--");
    flag.split_once(' ').map_or((flag, None), |(name, value)| (name, Some(value)))
}

impl Args for Flawed {
    fn augment_args(command: Command) -> Command {
        let of_its_own = |name: &'static str| {
            let others = flaws().map(|flaw| flag(flaw).0).filter(move |other| *other != name);
            Arg::new(name).long(name).help_heading(HEADING).requires("name").conflicts_with_all(others)
        };
        let algorithms = flaws().filter_map(|flaw| Some(PossibleValue::new(flag(flaw).1?).help(help(flaw))));
        let algorithm = of_its_own("alg")
            .value_name("NAME")
            .value_parser(PossibleValuesParser::new(algorithms))
            .help("The token is signed in a way that nobody may accept");
        let switches = flaws().filter(|flaw| flag(*flaw).1.is_none());
        let switches = switches.map(|flaw| of_its_own(flag(flaw).0).action(ArgAction::SetTrue).help(help(flaw)));
        command.args(switches).arg(algorithm)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn help(flaw: Flaw) -> String {
    format!("The token {}", flaw.wrong())
}

impl FromArgMatches for Flawed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_asked = |flaw: &Flaw| match flag(*flaw) {
            (name, None) => matches.get_flag(name),
            (name, Some(value)) => matches.get_one::<String>(name).is_some_and(|given| given == value),
        };
        Ok(Self { flaw: flaws().find(is_asked) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Args, Command, FromArgMatches};

    use super::{Flaw, Flawed, flaws};

    fn parsed(line: &str) -> Option<Option<Flaw>> {
        let command = Flawed::augment_args(Command::new("token").arg(Arg::new("name")));
        let matches = command.try_get_matches_from(line.split_whitespace()).ok()?;
        Flawed::from_arg_matches(&matches).ok().map(|flawed| flawed.flaw)
    }

    #[test]
    fn each_flaw_has_its_flag() {
        assert_eq!(parsed("token alice"), Some(None));
        for flaw in flaws() {
            assert_eq!(parsed(&format!("token alice {}", flaw.flag())), Some(Some(flaw)));
        }
    }

    #[test]
    fn a_token_is_wrong_in_one_thing() {
        for one in flaws() {
            for other in flaws().filter(|other| *other != one) {
                let line = format!("token alice {} {}", one.flag(), other.flag());
                assert_eq!(parsed(&line), None, "{line}");
            }
        }
        assert_eq!(parsed("token --expired"), None, "a bad token is some user's");
        assert_eq!(parsed("token alice --alg rs256"), None);
    }
}
