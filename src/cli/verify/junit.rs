//! Results in the form that build servers read: a suite a route, a case a call.
//!
//! What was left out is skipped; what cannot be told is an error, since it is neither right nor wrong.

use stackgen::access::probe::Door;
use stackgen::access::probe::answer::Outcome as Came;
use stackgen::deploy::verify::{Ended, Tried};

use super::Verified;
use super::told::{Counts, counts, curl, expected, outcome};

/// The results as a document.
pub(super) fn document(verified: &Verified) -> String {
    let Verified { stack, report, weaker } = verified;
    let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\">\n", escaped(stack));
    for (door, counts) in counts(report) {
        text.push_str(&suite(verified, door, counts));
    }
    if !weaker.is_empty() {
        let count = weaker.len();
        text.push_str(&format!("  <testsuite name=\"template\" tests=\"{count}\" failures=\"{count}\">\n"));
        for change in weaker {
            let (name, words) = (escaped(&change.name), escaped(&change.words));
            text.push_str(&format!(
                "    <testcase classname=\"template\" name=\"{name}\">\n      <failure message=\"{words}\"/>\n    </testcase>\n"
            ));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str(&whole(verified));
    text.push_str("</testsuites>\n");
    text
}

/// What is said of no route: whether there was something to try, time for it, and an end without a trace.
fn whole(verified: &Verified) -> String {
    let report = &verified.report;
    let over = (report.ended != Ended::Whole).then(|| "the time was over before all was tried".to_owned());
    let nothing = verified.is_empty().then(|| "there was nothing to try".to_owned());
    let left = |user: &String| format!("user {user} was made for this, and could not be removed");
    let errors: Vec<String> = over.into_iter().chain(nothing).chain(report.users_left.iter().map(left)).collect();
    if errors.is_empty() {
        return String::new();
    }
    let case = |error: &String| {
        let error = escaped(error);
        format!(
            "    <testcase classname=\"verify\" name=\"{error}\">\n      <error message=\"{error}\"/>\n    </testcase>\n"
        )
    };
    let (count, cases) = (errors.len(), errors.iter().map(case).collect::<String>());
    format!("  <testsuite name=\"verify\" tests=\"{count}\" errors=\"{count}\">\n{cases}  </testsuite>\n")
}

fn suite(verified: &Verified, door: &Door, counts: Counts) -> String {
    let Counts { passed, refused, failed, untold, left_out } = counts;
    let tests = passed + refused + failed + untold + left_out;
    let name = escaped(&door.to_string());
    let mut text = format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"{untold}\" skipped=\"{left_out}\">\n"
    );
    let report = &verified.report;
    for tried in report.tried.iter().filter(|tried| tried.probe.door == *door) {
        text.push_str(&case(&name, tried));
    }
    for left in report.left_out.iter().filter(|left| left.door == *door) {
        let (what, why) = (escaped(&left.what), escaped(&left.why));
        text.push_str(&format!(
            "    <testcase classname=\"{name}\" name=\"{what}\">\n      <skipped message=\"{why}\"/>\n    </testcase>\n"
        ));
    }
    text.push_str("  </testsuite>\n");
    text
}

fn case(suite: &str, tried: &Tried) -> String {
    let what = escaped(&format!("{} {}", tried.probe.what, expected(&tried.probe.must)));
    let head = format!("    <testcase classname=\"{suite}\" name=\"{what}\"");
    let element = match &tried.outcome {
        Came::Proved => return format!("{head}/>\n"),
        Came::Leaked(_) | Came::Shut(_) => "failure",
        Came::Untold(_) => "error",
    };
    let (kind, explanation) = outcome(&tried.outcome);
    let (explanation, call) = (escaped(explanation), escaped(&curl(tried)));
    format!("{head}>\n      <{element} type=\"{kind}\" message=\"{explanation}\">{call}</{element}>\n    </testcase>\n")
}

/// A text within XML. What XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => result.push_str("&amp;"),
            '<' => result.push_str("&lt;"),
            '>' => result.push_str("&gt;"),
            '"' => result.push_str("&quot;"),
            '\n' | '\t' => result.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => result.push(c),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use stackgen::access::probe::{Asked, LeftOut, Must};
    use stackgen::deploy::verify::Report;

    use super::super::told::tests::tried;
    use super::*;

    #[test]
    fn what_ends_with_another_code_than_0_is_not_green() {
        let told = |report| document(&Verified { stack: "s".into(), report, weaker: Vec::new() });
        let proved = || vec![tried(Must::Pass, Came::Proved)];
        let cut = Report { tried: proved(), ended: Ended::TimedOut, ..Report::default() };
        assert!(told(cut).contains("<error message=\"the time was over"));
        assert!(told(Report::default()).contains("<error message=\"there was nothing to try"));
        let left = Report { tried: proved(), users_left: vec!["stackgen-verify-1".into()], ..Report::default() };
        assert!(told(left).contains("stackgen-verify-1"));
        assert!(!told(Report { tried: proved(), ..Report::default() }).contains("<error"));
    }

    #[test]
    fn whatever_a_route_is_called_the_document_is_sound() {
        let leak = tried(Must::BeRefused(Asked::Token), Came::Leaked("it <passed> & \"more\"\u{1}".into()));
        let left = LeftOut { door: leak.probe.door.clone(), what: "DELETE".into(), why: "it may change data".into() };
        let report = Report {
            tried: vec![leak, tried(Must::Pass, Came::Proved), tried(Must::Pass, Came::Untold("busy".into()))],
            left_out: vec![left],
            ..Report::default()
        };
        let text = document(&Verified { stack: "s".into(), report, weaker: Vec::new() });
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut names = Vec::new();
        loop {
            match reader.read_event().expect("it is XML") {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                    names.push(tag.name().as_ref().to_owned());
                }
                _ => {}
            }
        }
        let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
        assert_eq!((count("testsuite"), count("testcase")), (1, 4));
        assert_eq!((count("failure"), count("error"), count("skipped")), (1, 1, 1));
        assert!(text.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""), "{text}");
    }
}
