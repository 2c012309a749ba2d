use crate::Value;

/// The properties of an object or ECMA array, in the order they were sent.
///
/// Duplicate keys are kept as they came; look-ups answer the last of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    /// Makes an object without properties.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of `key`: of several, the last.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The value of `key`, to be changed in place: of several, the last.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().rev().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Whether there is a property `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets `key`: in its place if it is there (the value before is answered), else at the end.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        if let Some(old) = self.get_mut(&key) {
            return Some(std::mem::replace(old, value));
        }
        self.0.push((key, value));
        None
    }

    /// Adds a property at the end, also when the key is there already.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.push((key.into(), value.into()));
    }

    /// Removes every property `key` and answers the last of them.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let mut removed = None;
        self.0.retain_mut(|(k, v)| {
            let hit = k == key;
            if hit {
                removed = Some(std::mem::replace(v, Value::Null));
            }
            !hit
        });
        removed
    }

    /// The number of properties.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no properties.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The properties in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(properties: I) -> Self {
        let mut object = Self::new();
        object.extend(properties);
        object
    }
}

impl<K: Into<String>, V: Into<Value>> Extend<(K, V)> for Object {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, properties: I) {
        self.0.extend(properties.into_iter().map(|(k, v)| (k.into(), v.into())));
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Object {
    fn from(properties: [(K, V); N]) -> Self {
        properties.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_duplicates_are_kept_and_the_last_wins() {
        let object = Object::from([("b", 1.0), ("a", 2.0), ("b", 3.0)]);
        let keys: Vec<_> = object.iter().map(|(k, _)| k).collect();
        assert_eq!(keys, ["b", "a", "b"]);
        assert_eq!(object.get("b"), Some(&Value::Number(3.0)));
        assert_eq!(object.get("c"), None);
    }

    #[test]
    fn insert_replaces_in_place_and_push_appends() {
        let mut object = Object::from([("a", 1.0), ("b", 2.0)]);
        assert_eq!(object.insert("a", "x"), Some(Value::Number(1.0)));
        assert_eq!(object.insert("c", true), None);
        object.push("a", Value::Null);
        let keys: Vec<_> = object.iter().map(|(k, _)| k).collect();
        assert_eq!(keys, ["a", "b", "c", "a"]);
        assert_eq!(object.remove("a"), Some(Value::Null));
        assert_eq!(object.len(), 2);
    }
}
