//! The boundary in TypeScript: the text of `src/native/boundary.generated.ts`, formatted as Biome formats it.

use std::fmt::{Result, Write};

use framepool::threads::channel::MAX_CAPACITY;
use framepool::{framing, slot, sv2};

use crate::call::numbered::Declaration;
use crate::call::words::Word;
use crate::kinds::ELSEWHERE;
use crate::memory::reservation::NONE;
use crate::relay::records::RecordKind;
use crate::relay::way::Way;
use crate::sv2::session::Phase;
use crate::tables::Tables;
use crate::threads::transferable::{Kind, TICKET};

/// The doc comment of `ObjectKind`, which is a public type.
const OBJECT_KIND: &[&str] = &[
    " Kind of an object in `inspect()`. A `system-memory-buffer` is one in which a message is being written. A `ticket` is an object that",
    " has left one isolate and not arrived in another.",
];

/// Numbers that both sides of the boundary know: name, doc comment and value.
const NUMBERS: &[(&str, &str, usize)] = &[
    ("Slots", " Slots of a slot pool that is not given another number.", slot::SLOTS),
    ("MaxSlots", " The most slots of a slot pool.", slot::MAX_SLOTS),
    ("MaxCapacity", " The most objects that a channel can hold.", MAX_CAPACITY),
    ("MaxFrame", " The longest frame of a frame reader, in bytes.", framing::MAX_FRAME),
    ("MaxHeader", " The longest header of a frame, in bytes.", framing::MAX_HEADER),
    ("MaxDelimiter", " The longest delimiter, in bytes.", framing::MAX_DELIMITER),
    ("FramedEntry", " Bytes of an entry in the table of a `FramedBatch`: u32 end of the frame.", framing::ENTRY),
    (
        "BatchEntry",
        " Bytes of an entry in the table of a session's batch: u32 offset, u32 length, u16 extension, u8 type, u8 0; little-endian.",
        sv2::ENTRY,
    ),
    ("NoReservation", " Stands in the control block for no reservation.", NONE as usize),
];

/// Enums that both sides know by number.
const NUMBERED: &[&Declaration] =
    &[&Word::DECLARATION, &Kind::DECLARATION, &Phase::DECLARATION, &Way::DECLARATION, &RecordKind::DECLARATION];

/// A bound function, as its TypeScript declaration needs it.
pub(super) struct Signature {
    pub(super) name: &'static str,
    /// Name and type of the argument; empty without one.
    pub(super) argument: &'static str,
    pub(super) value: &'static str,
}

/// Returns the declarations of the numbered enums, of the numbers, of the kinds of objects, and of the bound functions.
pub(super) fn declarations(calls: &[Signature]) -> String {
    let mut text = String::new();
    write_all(&mut text, calls).expect("a string takes any text");
    text
}

fn write_all(out: &mut String, calls: &[Signature]) -> Result {
    writeln!(out, "// Written by `npm run build` from the declarations in crates/framepool-node. Do not edit.\n")?;
    for declaration in NUMBERED {
        write_enum(out, declaration)?;
    }
    write_doc(out, "", &[" Numbers that native code has, too."])?;
    writeln!(out, "export const enum Fixed {{")?;
    for (name, doc, value) in NUMBERS {
        write_doc(out, "  ", &[doc])?;
        writeln!(out, "  {name} = {value},")?;
    }
    writeln!(out, "}}\n")?;
    write_doc(out, "", OBJECT_KIND)?;
    writeln!(out, "export type ObjectKind =")?;
    for kind in Tables::kinds().chain(ELSEWHERE.iter().copied()).chain([TICKET]) {
        writeln!(out, "  | '{kind}'")?;
    }
    writeln!(out, "\n/** Result of `openBoundary()`: the control block, and the bound functions. */")?;
    writeln!(out, "export interface Bound {{")?;
    writeln!(out, "  /** The memory of the control block. */\n  control: ArrayBuffer")?;
    writeln!(out, "  /** The number of this copy of the facade in its isolate. */\n  facade: number")?;
    for Signature { name, argument, value } in calls {
        writeln!(out, "  {name}({argument}): {value}")?;
    }
    writeln!(out, "}}")
}

/// Writes a constant enum: the compiler puts the numbers where they are used.
fn write_enum(out: &mut String, declaration: &Declaration) -> Result {
    write_doc(out, "", declaration.doc)?;
    writeln!(out, "export const enum {} {{", declaration.name)?;
    for member in declaration.members {
        write_doc(out, "  ", member.doc)?;
        writeln!(out, "  {},", member.name)?;
    }
    writeln!(out, "}}\n")
}

/// Writes a doc comment. Each line of a Rust doc comment begins with a space.
fn write_doc(out: &mut String, indent: &str, lines: &[&str]) -> Result {
    if let [line] = lines {
        return writeln!(out, "{indent}/**{line} */");
    }
    writeln!(out, "{indent}/**")?;
    for line in lines {
        writeln!(out, "{indent} *{line}")?;
    }
    writeln!(out, "{indent} */")
}
