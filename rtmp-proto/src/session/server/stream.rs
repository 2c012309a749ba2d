use crate::{MessageStreamId, RequestId};

/// What a message stream is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    PublishRequested { id: RequestId, name: String },
    PlayRequested { id: RequestId, begin: Begin },
    Publishing { name: String },
    Playing,
}

/// How a play begins where there was one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// The one before is ended first.
    Reset,
    Append,
    /// `play2`: it goes over from the one before.
    Transition,
}

impl State {
    pub(super) const fn request(&self) -> Option<RequestId> {
        match self {
            Self::PublishRequested { id, .. } | Self::PlayRequested { id, .. } => Some(*id),
            Self::Idle | Self::Publishing { .. } | Self::Playing => None,
        }
    }

    /// The name that is published, or is to be.
    fn published_name(&self) -> Option<&str> {
        match self {
            Self::PublishRequested { name, .. } | Self::Publishing { name } => Some(name),
            Self::Idle | Self::PlayRequested { .. } | Self::Playing => None,
        }
    }
}

/// The message streams of a connection.
#[derive(Debug)]
pub(super) struct Streams {
    limit: usize,
    streams: Vec<(MessageStreamId, State)>,
}

impl Streams {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, streams: Vec::new() }
    }

    /// Makes a stream with the smallest free id; `None` at the limit.
    pub(super) fn create(&mut self) -> Option<MessageStreamId> {
        let free = (1..).map(MessageStreamId).find(|id| self.get(*id).is_none())?;
        self.get_or_create(free).map(|_| free)
    }

    /// A stream, which is made if need be: some encoders publish without having created one. `None` at the limit.
    pub(super) fn get_or_create(&mut self, msid: MessageStreamId) -> Option<&mut State> {
        let index = match self.streams.iter().position(|(id, _)| *id == msid) {
            Some(index) => index,
            None if self.streams.len() >= self.limit => return None,
            None => {
                self.streams.push((msid, State::Idle));
                self.streams.len().saturating_sub(1)
            }
        };
        self.streams.get_mut(index).map(|(_, state)| state)
    }

    pub(super) fn get(&self, msid: MessageStreamId) -> Option<&State> {
        self.streams.iter().find(|(id, _)| *id == msid).map(|(_, state)| state)
    }

    pub(super) fn get_mut(&mut self, msid: MessageStreamId) -> Option<&mut State> {
        self.streams.iter_mut().find(|(id, _)| *id == msid).map(|(_, state)| state)
    }

    pub(super) fn remove(&mut self, msid: MessageStreamId) {
        self.streams.retain(|(id, _)| *id != msid);
    }

    /// The stream that waits for the answer to this request.
    pub(super) fn requested(&mut self, id: RequestId) -> Option<(MessageStreamId, &mut State)> {
        let (msid, state) =
            self.streams.iter_mut().find(|(_, state)| state.request() == Some(id))?;
        Some((*msid, state))
    }

    pub(super) fn is_playing(&self, msid: MessageStreamId) -> bool {
        self.get(msid) == Some(&State::Playing)
    }

    /// The publish that media on a message stream belongs to.
    ///
    /// Some encoders send media on a stream they never created; it belongs to the only publish there is.
    pub(super) fn publishing(&self, msid: MessageStreamId) -> Option<MessageStreamId> {
        self.meant(msid, |state| matches!(state, State::Publishing { .. }))
    }

    /// The play that a command on a message stream is about; some players send it on another, such as 0.
    pub(super) fn playing(&self, msid: MessageStreamId) -> Option<MessageStreamId> {
        self.meant(msid, |state| *state == State::Playing)
    }

    /// The stream in any use that a command on a message stream is about.
    pub(super) fn active(&self, msid: MessageStreamId) -> Option<MessageStreamId> {
        self.meant(msid, |state| *state != State::Idle)
    }

    /// The stream of this id if it is `wanted`; if there is none of this id, the only one that is.
    fn meant(
        &self,
        msid: MessageStreamId,
        wanted: impl Fn(&State) -> bool,
    ) -> Option<MessageStreamId> {
        if let Some(state) = self.get(msid) {
            return wanted(state).then_some(msid);
        }
        let mut all = self.streams.iter().filter(|(_, state)| wanted(state)).map(|(id, _)| *id);
        let only = all.next();
        only.filter(|_| all.next().is_none())
    }

    /// The publish, accepted or not, that `FCUnpublish` with this name means: that of the name, else the only one.
    pub(super) fn published_as(&self, name: &str) -> Option<MessageStreamId> {
        let mut published = self
            .streams
            .iter()
            .filter_map(|(id, state)| state.published_name().map(|name| (*id, name)));
        if let Some((id, _)) = published.clone().find(|(_, published)| *published == name) {
            return Some(id);
        }
        let only = published.next();
        only.filter(|_| published.next().is_none()).map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publishing(name: &str) -> State {
        State::Publishing { name: name.to_owned() }
    }

    #[test]
    fn ids_are_the_smallest_free_and_bounded() {
        let mut streams = Streams::new(2);
        assert_eq!(streams.create(), Some(MessageStreamId(1)));
        assert_eq!(streams.create(), Some(MessageStreamId(2)));
        assert_eq!(streams.create(), None);
        assert_eq!(streams.get_or_create(MessageStreamId(9)), None);
        streams.remove(MessageStreamId(1));
        assert_eq!(streams.create(), Some(MessageStreamId(1)));
    }

    #[test]
    fn media_of_an_unknown_stream_belongs_to_the_only_publish() {
        let mut streams = Streams::new(3);
        let [one, two] = [streams.create().unwrap(), streams.create().unwrap()];
        assert_eq!(streams.publishing(MessageStreamId(0)), None);
        *streams.get_mut(one).unwrap() = publishing("a");
        assert_eq!(streams.publishing(MessageStreamId(0)), Some(one));
        assert_eq!(streams.publishing(two), None);
        *streams.get_mut(two).unwrap() = publishing("b");
        assert_eq!(streams.publishing(two), Some(two));
        assert_eq!(streams.publishing(MessageStreamId(0)), None);
    }

    #[test]
    fn unpublish_by_name_or_the_only_one() {
        let mut streams = Streams::new(3);
        let [one, two] = [streams.create().unwrap(), streams.create().unwrap()];
        *streams.get_mut(one).unwrap() = publishing("a");
        assert_eq!(streams.published_as("x"), Some(one));
        *streams.get_mut(two).unwrap() = publishing("b");
        assert_eq!(streams.published_as("b"), Some(two));
        assert_eq!(streams.published_as("x"), None);
    }
}
