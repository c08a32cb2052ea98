//! Upstream's `lib.rs` without what an included file can't carry.

/// Blanks the inner attributes and inner documentation at the top of a `lib.rs`. It is included, and an
/// included file can't carry them; the fork's own `lib.rs` does. Lines keep their numbers.
///
/// Inner attributes can only stand before the first item, so that everything from there on stays as it is,
/// whatever it looks like.
pub(crate) fn without_inner_attributes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let piece = piece(rest);
        let (this, next) = rest.split_at(piece.length);
        match piece.kind {
            Kind::Keep => kept.push_str(this),
            Kind::Blank => kept.extend(this.chars().filter(|c| *c == '\n')),
            Kind::Items => {
                kept.push_str(rest);
                break;
            }
        }
        rest = next;
    }
    kept
}

enum Kind {
    /// White space or a comment.
    Keep,
    /// An inner attribute or inner documentation.
    Blank,
    /// The first item, and all that follows.
    Items,
}

struct Piece {
    kind: Kind,
    length: usize,
}

fn piece(text: &str) -> Piece {
    let of = |kind, length| Piece { kind, length };
    let white = text.len() - text.trim_start().len();
    if white > 0 {
        return of(Kind::Keep, white);
    }
    if let Some(length) = line_comment(text) {
        return match text.as_bytes().get(2) {
            Some(b'!') => of(Kind::Blank, length),
            // Three slashes document an item; four are a comment again.
            Some(b'/') if !text.starts_with("////") => of(Kind::Items, length),
            _ => of(Kind::Keep, length),
        };
    }
    if let Some(length) = block_comment(text) {
        let documents =
            text.starts_with("/**") && !["/***", "/**/"].iter().any(|c| text.starts_with(c));
        return match text.as_bytes().get(2) {
            Some(b'!') => of(Kind::Blank, length),
            _ if documents => of(Kind::Items, length),
            _ => of(Kind::Keep, length),
        };
    }
    match inner_attribute(text) {
        Some(length) => of(Kind::Blank, length),
        None => of(Kind::Items, text.len()),
    }
}

/// The length of the `// …` that `text` starts with, without its line break.
fn line_comment(text: &str) -> Option<usize> {
    text.starts_with("//")
        .then(|| text.find('\n').unwrap_or(text.len()))
}

/// The length of the `/* … */` that `text` starts with. They nest.
fn block_comment(text: &str) -> Option<usize> {
    text.strip_prefix("/*")?;
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let rest = text.get(at..)?;
        let mark = rest.find(['/', '*'])?;
        let rest = &rest[mark..];
        at += mark + 1;
        if rest.starts_with("/*") {
            depth += 1;
            at += 1;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 1;
        }
    }
    Some(at)
}

/// The length of the `#![ … ]` that `text` starts with, over as many lines as it takes.
fn inner_attribute(text: &str) -> Option<usize> {
    let open = text.strip_prefix("#!")?.trim_start().strip_prefix('[')?;
    let mut at = text.len() - open.len();
    let mut depth = 1;
    while depth > 0 {
        let rest = text.get(at..)?;
        at += if let Some(length) = line_comment(rest)
            .or_else(|| block_comment(rest))
            .or_else(|| literal(rest))
        {
            length
        } else {
            match rest.chars().next()? {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            rest.chars().next()?.len_utf8()
        };
    }
    Some(at)
}

/// The length of the string or character that `text` starts with: a bracket inside closes nothing.
fn literal(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let start = 1 + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            return Some(start + text[start..].find(&end)? + end.len());
        }
        return None;
    }
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c))?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::without_inner_attributes;

    #[track_caller]
    fn becomes(text: &str, expected: &str) {
        assert_eq!(without_inner_attributes(text), expected);
        assert_eq!(text.lines().count(), expected.lines().count());
    }

    #[test]
    fn attributes_and_documentation_at_the_top_go_and_lines_keep_their_numbers() {
        becomes(
            "// note\n#![allow(a)]\n\n//! Text [link]\n//! more\n/*! block\n ends */\nuse a;\n",
            "// note\n\n\n\n\n\n\nuse a;\n",
        );
    }

    #[test]
    fn an_attribute_over_several_lines_goes_whole() {
        becomes(
            "#![allow(\n    a[0], // ]\n    /* ] */ b,\n)]\n#! [doc = \"]\\\"]\"]\n#![doc = r#\"\n\"]\"#]\nmod a;\n",
            "\n\n\n\n\n\n\nmod a;\n",
        );
    }

    #[test]
    fn nothing_after_the_first_item_is_touched() {
        for text in [
            "const A: &str = \"\n#![not(an_attribute)]\n//! nor documentation\n\";\n",
            "mod a {\n#![allow(b)]\n//! Documents `a`.\n}\n",
            "/// Documents `a`.\n#[cfg(b)]\nmod a;\n//! an error of upstream's, not ours to hide\n",
            "/** Documents `a`. */\nmod a;\n#![allow(b)]\n",
            "//// a comment\n/*** another */ /**/\nuse a;",
            "#[macro_use]\nmod a;\n",
        ] {
            becomes(text, text);
        }
    }

    #[test]
    fn an_attribute_that_never_ends_stays_for_the_compiler_to_refuse() {
        becomes("#![allow(a)\nmod b;\n", "#![allow(a)\nmod b;\n");
    }
}
