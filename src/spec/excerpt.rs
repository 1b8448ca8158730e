//! What of a stack file is shown around a mistake.

use std::ops::Range;

use miette::{MietteError, MietteSpanContents, NamedSource, SourceCode, SourceSpan, SpanContents};

/// The most bytes that are shown around a mistake as they stand, whole lines of them.
const MOST_SHOWN: usize = 4_000;
/// How many bytes of a longer line are shown on either side, and how many of a longer value.
const AROUND: usize = 60;

/// A stack file of which screens show excerpts: it may be all one line.
#[derive(Debug)]
pub(super) struct Source(NamedSource<String>);

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self(NamedSource::new(name, text.to_owned()))
    }

    pub(super) fn text(&self) -> &str {
        self.0.inner()
    }

    /// What is underlined of a value.
    pub(super) fn underlined(&self, place: &Range<usize>) -> Range<usize> {
        match place.len() > MOST_SHOWN {
            true => place.start..self.text().floor_char_boundary(place.start + AROUND),
            false => place.clone(),
        }
    }

    fn excerpt(&self, span: &SourceSpan) -> MietteSpanContents<'_> {
        let text = self.text();
        let start = text.floor_char_boundary(span.offset().saturating_sub(AROUND));
        let end = text.ceil_char_boundary((span.offset() + span.len() + AROUND).min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let data = text.get(start..end).unwrap_or_default();
        let line = before.matches('\n').count();
        let column = start - before.rfind('\n').map_or(0, |newline| newline + 1);
        MietteSpanContents::new_named(
            self.0.name().to_owned(),
            data.as_bytes(),
            (start, end - start).into(),
            line,
            column,
            data.matches('\n').count() + 1,
        )
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.0.read_span(span, lines_before, lines_after)?;
        match contents.data().len() {
            ..=MOST_SHOWN => Ok(contents),
            // Two places far from each other: each is shown by itself then.
            _ if span.len() > MOST_SHOWN => Err(MietteError::OutOfBounds),
            _ => Ok(Box::new(self.excerpt(span))),
        }
    }
}
