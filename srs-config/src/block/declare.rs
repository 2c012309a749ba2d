//! The declaration of a block.

/// Declares a block: a struct with a field per directive, its default, what it may be, and how far
/// it is supported; then the blocks in it, and the blocks in it that may come several times, by
/// name.
///
/// ```text
/// block! {
///     /// What the block is for.
///     Play {
///         /// What the directive means.
///         gop_cache: bool = true, OnOff, Same { test: "gop_cache_off_waits_for_a_keyframe" };
///         /// A directive whose name is no identifier.
///         kind("type"): String = text("file"), OneOf(&["file", "stream"]), NotYet;
///     }
///     blocks { /// …
///              https: Https; }
///     named { /// …
///             vhosts("vhost"): Vhost; }
/// }
/// ```
macro_rules! block {
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
    (
        $(#[$doc:meta])*
        $block:ident {
            $($(#[doc = $leaf_doc:literal])+
            $leaf:ident $(($leaf_name:literal))? : $leaf_type:ty = $default:expr, $codec:expr, $support:expr;)*
        }
        $(blocks {
            $($(#[doc = $inner_doc:literal])+ $inner:ident $(($inner_name:literal))? : $inner_type:ty;)*
        })?
        $(named {
            $($(#[doc = $list_doc:literal])+ $list:ident $(($list_name:literal))? : $list_type:ty;)*
        })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $block {
            $($(#[doc = $leaf_doc])+ pub $leaf: $leaf_type,)*
            $($($(#[doc = $inner_doc])+ pub $inner: $inner_type,)*)?
            $($($(#[doc = $list_doc])+ pub $list: Vec<$crate::Named<$list_type>>,)*)?
        }

        impl Default for $block {
            /// SRS's defaults.
            fn default() -> Self {
                Self {
                    $($leaf: $default,)*
                    $($($inner: Default::default(),)*)?
                    $($($list: Vec::new(),)*)?
                }
            }
        }

        impl $crate::block::Block for $block {
            fn read(
                &mut self,
                reading: &mut $crate::reading::Reading<'_>,
                node: Option<&$crate::Directive>,
                path: &str,
            ) {
                reading.known(node, path, &[
                    $(block!(@name $leaf $($leaf_name)?),)*
                    $($(block!(@name $inner $($inner_name)?),)*)?
                    $($(block!(@name $list $($list_name)?),)*)?
                ]);
                $(reading.leaf(
                    &mut self.$leaf, node, path, block!(@name $leaf $($leaf_name)?), &$codec, &$support,
                );)*
                $($(reading.block(
                    &mut self.$inner, node, path, block!(@name $inner $($inner_name)?),
                );)*)?
                $($(reading.named(
                    &mut self.$list, node, path, block!(@name $list $($list_name)?),
                );)*)?
            }

            fn describe(path: &str, specs: &mut Vec<$crate::Spec>) {
                use $crate::block::codec;
                let default = Self::default();
                $(specs.push(codec::described(
                    &$codec,
                    &default.$leaf,
                    codec::join(path, block!(@name $leaf $($leaf_name)?)),
                    codec::doc(&[$($leaf_doc),+]),
                    $support,
                ));)*
                $($(<$inner_type>::describe(
                    &codec::join(path, block!(@name $inner $($inner_name)?)), specs,
                );)*)?
                $($(<$list_type>::describe(
                    &codec::join(path, block!(@name $list $($list_name)?)), specs,
                );)*)?
            }

            fn show(&self, out: &mut Vec<$crate::Directive>) {
                use $crate::block::codec;
                $(codec::show(&$codec, block!(@name $leaf $($leaf_name)?), &self.$leaf, out);)*
                $($(codec::show_block(
                    out, block!(@name $inner $($inner_name)?), "", &self.$inner,
                );)*)?
                $($(for named in &self.$list {
                    codec::show_block(
                        out, block!(@name $list $($list_name)?), &named.name, &named.block,
                    );
                })*)?
            }
        }
    };
}
