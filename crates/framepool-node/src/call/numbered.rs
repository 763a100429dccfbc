//! Enums that JavaScript knows by number, each declared once for both languages.

/// A numbered enum, as its TypeScript declaration needs it.
pub(crate) struct Declaration {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) members: &'static [Member],
}

/// A member of a numbered enum.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
}

/// Declares an enum whose members are numbered from 0. `boundary::typescript` writes it down for the facade, with its doc comments.
macro_rules! numbered {
    ($(#[doc = $title:literal])+ $name:ident: $number:ident { $($(#[doc = $doc:literal])+ $member:ident,)+ }) => {
        $(#[doc = $title])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr($number)]
        pub(crate) enum $name {
            $($(#[doc = $doc])+ $member,)+
        }

        impl $name {
            /// All members, by number.
            #[allow(dead_code, reason = "not every enum is read by number")]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$member),+];

            pub(crate) const DECLARATION: $crate::call::numbered::Declaration = $crate::call::numbered::Declaration {
                name: stringify!($name),
                doc: &[$($title),+],
                members: &[$($crate::call::numbered::Member { name: stringify!($member), doc: &[$($doc),+] }),+],
            };
        }
    };
}

pub(crate) use numbered;
