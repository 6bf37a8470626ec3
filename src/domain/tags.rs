//! `tagged!`: enums whose number on disk and word in text never change when the Rust code moves.

/// Declares a field-less enum with a stable `u8` tag (journal) and a stable word (tape, CSV).
///
/// Serde sees the tag only, so reordering the variants cannot change a journal.
macro_rules! tagged {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $tag:literal $word:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(into = "u8", try_from = "u8")]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant = $tag,)+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The number that stands for this variant in a journal. Never reused.
            pub const fn tag(self) -> u8 {
                self as u8
            }

            /// The word that stands for this variant in text.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// The variant of that word, if there is one.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> u8 {
                value.tag()
            }
        }

        impl TryFrom<u8> for $name {
            type Error = alloc::string::String;

            fn try_from(tag: u8) -> Result<$name, Self::Error> {
                match tag {
                    $($tag => Ok($name::$variant),)+
                    other => Err(alloc::format!("{} is no tag of {}", other, stringify!($name))),
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}
pub(crate) use tagged;
