//! Payload formats: what is packetized comes back, whatever happens on the way. Needs the ffmpeg that `test.sh` puts
//! beside the build.

mod material;
mod oracle;
mod round_trip;
mod track;
