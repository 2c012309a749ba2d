use crate::{CodecParameters, MediaKind, Rid};

/// One track of a publisher, or one simulcast layer of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// The codec.
    pub parameters: CodecParameters,
    /// Which simulcast layer it is, if there are several. A viewer gets one of the layers.
    pub layer: Option<Rid>,
}

impl Track {
    /// A track that is no simulcast layer.
    pub const fn new(parameters: CodecParameters) -> Self {
        Self { parameters, layer: None }
    }

    /// Sound or pictures.
    pub fn kind(&self) -> Option<MediaKind> {
        self.parameters.codec.kind()
    }
}
