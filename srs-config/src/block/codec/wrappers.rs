//! Values that may be missing.

use super::{Codec, Form};

/// What the other codec reads, or a word that stands for none.
pub(crate) struct Or<C>(pub(crate) &'static str, pub(crate) C);

impl<T, C: Codec<T>> Codec<Option<T>> for Or<C> {
    fn expects(&self) -> String {
        format!("{}, or {}", self.1.expects(), self.0)
    }
    fn form(&self) -> Form {
        self.1.form()
    }
    fn read(&self, args: &[&str]) -> Option<Option<T>> {
        if args == [self.0] { Some(None) } else { self.1.read(args).map(Some) }
    }
    fn write(&self, value: &Option<T>) -> Vec<String> {
        value.as_ref().map_or_else(|| vec![self.0.to_owned()], |value| self.1.write(value))
    }
}

/// What the other codec reads, or nothing where the directive isn't there or its value is empty.
pub(crate) struct Maybe<C>(pub(crate) C);

impl<T, C: Codec<T>> Codec<Option<T>> for Maybe<C> {
    fn expects(&self) -> String {
        self.0.expects()
    }
    fn form(&self) -> Form {
        self.0.form()
    }
    fn read(&self, args: &[&str]) -> Option<Option<T>> {
        if args == [""] { Some(None) } else { self.0.read(args).map(Some) }
    }
    fn write(&self, value: &Option<T>) -> Vec<String> {
        value.as_ref().map_or_else(Vec::new, |value| self.0.write(value))
    }
}

/// What the other codec reads, and else, for a number out of its range, another value: SRS takes
/// that one, and starts.
pub(crate) struct Reset<C, T>(pub(crate) C, pub(crate) T);

impl<T: Clone, C: Codec<T>> Codec<T> for Reset<C, T> {
    fn expects(&self) -> String {
        self.0.expects()
    }
    fn read(&self, args: &[&str]) -> Option<T> {
        self.0.read(args)
    }
    fn write(&self, value: &T) -> Vec<String> {
        self.0.write(value)
    }
    fn instead(&self, args: &[String]) -> Option<T> {
        let [arg] = args else { return None };
        let is_number = arg.parse().is_ok_and(|number: f64| number.is_finite() && number >= 0.0);
        is_number.then(|| self.1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Number, *};

    #[test]
    fn a_word_stands_for_none() {
        let codec = Or("auto", Number(0..=10_u32));
        assert_eq!(codec.read(&["auto"]), Some(None));
        assert_eq!(codec.read(&["10"]), Some(Some(10)));
        assert_eq!(codec.read(&["11"]), None);
        assert_eq!(codec.write(&None), ["auto"]);
        assert_eq!(codec.expects(), "a number from 0 to 10, or auto");
    }

    #[test]
    fn a_number_out_of_range_is_reset() {
        let codec = Reset(Number(8..=10_u32), 9);
        assert_eq!(codec.read(&["11"]), None);
        assert_eq!(codec.instead(&["11".to_owned()]), Some(9));
        for wrong in ["-1", "NaN", "inf", "many", ""] {
            assert_eq!(codec.instead(&[wrong.to_owned()]), None, "{wrong}");
        }
        assert_eq!(codec.instead(&[]), None);
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let codec = Maybe(Number(0..=10_u32));
        assert_eq!(codec.read(&[""]), Some(None));
        assert_eq!(codec.read(&[]), None);
        assert!(codec.write(&None).is_empty());
    }
}
