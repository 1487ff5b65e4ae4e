use std::fs;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};

use super::*;

/// A picture with enough going on that its size in bytes is no accident.
pub(in crate::request) fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let pixel = |x: u32, y: u32| image::Rgb([x * 7, y * 5, x * y].map(|v| v.to_le_bytes()[0]));
    let picture = DynamicImage::from(RgbImage::from_fn(width, height, pixel));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn store(roots: &[&Path]) -> ImageStore {
    let roots = roots.iter().map(|root| root.to_path_buf()).collect();
    ImageStore::new(&ImageOptions { roots, max_bytes: 100_000, ..ImageOptions::default() })
}

/// Plans and writes, and holds the one against the other.
fn put(store: &mut ImageStore, cell: &str) -> Result<(String, Planned), Skip> {
    let planned = store.plan(cell);
    let mut out = Vec::new();
    let written = store.write(cell, &mut out);
    let planned = planned.inspect_err(|skip| assert_eq!(Err(skip), written.as_ref()))?;
    written?;
    assert_eq!(out.len() as u64, planned.bytes, "{cell}");
    Ok((String::from_utf8(out).unwrap(), planned))
}

/// S1.17, B01: the type comes from the bytes, whatever the name says.
#[test]
fn images_become_data_urls_by_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&[folder.path()]);
    for (format, label) in [
        (ImageFormat::Jpeg, "jpeg"),
        (ImageFormat::Png, "png"),
        (ImageFormat::Gif, "gif"),
        (ImageFormat::WebP, "webp"),
    ] {
        let bytes = picture(31, 17, format);
        fs::write(folder.path().join("photo.jpg"), &bytes).unwrap();
        store.memo = Memo::default();
        let (url, planned) = put(&mut store, "photo.jpg").unwrap();
        let data = url.strip_prefix(&format!("data:image/{label};base64,")).unwrap();
        assert_eq!(STANDARD.decode(data).unwrap(), bytes, "{label}");
        assert_eq!(planned.size, Some(ImageSize { width: 31, height: 17 }), "{label}");
    }
}

/// S1.17: everything that is no whole JPEG, PNG, GIF or WebP has its own reason.
#[test]
fn unfit_files_are_refused_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&[folder.path()]);
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0".to_vec(), "is HEIC"),
        ("a.avif", b"\0\0\0\x18ftypavif\0\0\0\0".to_vec(), "is AVIF"),
        ("a.mp4", b"\0\0\0\x18ftypisom\0\0\0\0".to_vec(), "is a film"),
        ("a.tif", b"II*\0\x08\0\0\0".to_vec(), "is TIFF"),
        ("a.bmp", b"BM\x10\0\0\0\0\0\0\0\x36\0".to_vec(), "is BMP"),
        ("a.svg", b"<?xml version=\"1.0\"?>\n<svg width=\"1\"/>".to_vec(), "is SVG"),
        ("a.pdf", b"%PDF-1.7".to_vec(), "is PDF"),
        ("text.png", "BM: ein schöner Text".into(), "is text and not a picture"),
        ("noise.png", vec![0, 1, 2, 0xff, 0xfe], "is of an unknown kind"),
        ("empty.png", vec![], "is an empty file"),
        ("large.png", vec![0x89; 100_001], "is too large (100001 bytes, at most 100000)"),
        ("head.gif", b"GIF89a".to_vec(), "is cut short"),
    ];
    for (name, bytes, expected) in cases {
        fs::write(folder.path().join(name), bytes).unwrap();
        let skip = put(&mut store, name).unwrap_err();
        assert_eq!(skip.kind, SkipKind::ImageUnfit, "{name}");
        assert!(skip.reason.starts_with(&format!("image {expected}")), "{name}: {}", skip.reason);
        assert!(skip.reason.ends_with(&format!(": {name}")), "{name}: {}", skip.reason);
    }
    let reason = put(&mut store, "gone.png").unwrap_err().reason;
    assert_eq!(reason, "image not found: gone.png");
}

/// Cut anywhere, a file is never taken for whole; with bytes behind its end it still is.
#[test]
fn files_cut_short_are_told_from_whole_ones() {
    for (format, kind) in [
        (ImageFormat::Jpeg, Kind::Jpeg),
        (ImageFormat::Png, Kind::Png),
        (ImageFormat::Gif, Kind::Gif),
        (ImageFormat::WebP, Kind::Webp),
    ] {
        let mut bytes = picture(20, 20, format);
        for length in 0..bytes.len() {
            // The last byte of a GIF is its trailer and of a PNG its checksum: all must be there.
            assert!(!whole::is_whole(kind, &bytes[..length]), "{kind:?} cut at {length}");
        }
        assert!(whole::is_whole(kind, &bytes), "{kind:?}");
        bytes.extend_from_slice(b"trailing");
        assert!(whole::is_whole(kind, &bytes), "{kind:?} with more behind");
    }
}

/// P9: no cell reads a file outside of the allowed folders, blocks, or shows what is there.
#[cfg(unix)]
#[test]
fn no_cell_leads_out_of_the_allowed_folders() {
    use std::os::unix::fs::symlink;
    let base = tempfile::tempdir().unwrap();
    let (inside, other) = (base.path().join("inside"), base.path().join("other"));
    fs::create_dir_all(inside.join("sub")).unwrap();
    fs::create_dir_all(&other).unwrap();
    let png = picture(3, 3, ImageFormat::Png);
    fs::write(inside.join("sub/a.png"), &png).unwrap();
    fs::write(other.join("secret.png"), &png).unwrap();
    symlink(other.join("secret.png"), inside.join("link.png")).unwrap();
    symlink(&other, inside.join("folder")).unwrap();
    symlink(inside.join("sub/a.png"), inside.join("good.png")).unwrap();
    symlink("/proc/self/environ", inside.join("environ.png")).unwrap();
    symlink("loop.png", inside.join("loop.png")).unwrap();
    let fifo = inside.join("fifo.png");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let secret = other.join("secret.png");
    let absolute = inside.join("sub/a.png");
    let mut store = store(&[&inside]);
    for (cell, expected) in [
        ("../other/secret.png", "image outside"),
        ("sub/../../other/secret.png", "image outside"),
        (secret.to_str().unwrap(), "image outside"),
        ("link.png", "image outside"),
        ("folder/secret.png", "image outside"),
        ("environ.png", "image outside"),
        ("/proc/self/environ", "image outside"),
        ("/dev/zero", "image outside"),
        ("/etc/passwd", "image outside"),
        ("file:///etc/passwd", "image not found"),
        ("loop.png", "image not found"),
        ("fifo.png", "image is not a regular file"),
        ("sub", "image is not a regular file"),
        ("sub/a.png\0.txt", "image not found"),
        ("..\\other\\secret.png", "image outside"),
    ] {
        let reason = put(&mut store, cell).unwrap_err().reason;
        assert!(reason.starts_with(expected), "{cell}: {reason}");
    }
    for cell in
        ["sub/a.png", "sub\\a.png", "good.png", "./sub/../good.png", absolute.to_str().unwrap()]
    {
        put(&mut store, cell).unwrap();
    }
}

/// A root that is the whole system still does not open the kernel's own folders.
#[cfg(target_os = "linux")]
#[test]
fn the_kernels_folders_are_never_inside() {
    let mut store = store(&[Path::new("/")]);
    for cell in
        ["/proc/self/environ", "proc/self/cmdline", "/dev/zero", "/sys/kernel/uevent_seqnum"]
    {
        let skip = put(&mut store, cell).unwrap_err();
        assert_eq!(skip.kind, SkipKind::ImageNotFound, "{cell}: {}", skip.reason);
    }
}

#[test]
fn roots_are_tried_in_order_and_the_folder_outside_is_named() {
    let base = tempfile::tempdir().unwrap();
    let real = base.path().canonicalize().unwrap();
    for name in ["a", "b", "c/d", "c/e"] {
        fs::create_dir_all(real.join(name)).unwrap();
    }
    let (small, large) = (picture(2, 2, ImageFormat::Png), picture(9, 9, ImageFormat::Png));
    fs::write(real.join("a/x.png"), &small).unwrap();
    fs::write(real.join("b/x.png"), &large).unwrap();
    fs::write(real.join("b/y.png"), &large).unwrap();
    fs::write(real.join("c/d/1.png"), &small).unwrap();
    fs::write(real.join("c/e/2.png"), &small).unwrap();
    let mut store = store(&[&real.join("a"), &real.join("gone"), &real.join("b")]);
    assert_eq!(put(&mut store, "x.png").unwrap().1.size.unwrap().width, 2);
    assert_eq!(put(&mut store, "y.png").unwrap().1.size.unwrap().width, 9);
    assert_eq!(store.outside(), None);
    put(&mut store, real.join("c/d/1.png").to_str().unwrap()).unwrap_err();
    assert_eq!(store.outside(), Some(real.join("c/d").as_path()));
    put(&mut store, real.join("c/e/2.png").to_str().unwrap()).unwrap_err();
    assert_eq!(store.outside(), Some(real.join("c").as_path()));
    // Of one row that climbs out, or names the system's, or is nowhere, no folder is concluded.
    for cell in ["../c/d/1.png", "/etc/passwd", "nowhere.png"] {
        let mut store = self::store(&[&real.join("a")]);
        put(&mut store, real.join("c/d/1.png").to_str().unwrap()).unwrap_err();
        assert!(store.outside().is_some());
        put(&mut store, cell).unwrap_err();
        assert_eq!(store.outside(), None, "{cell}");
    }
}

/// B01: addresses pass untouched, data URLs are checked for what they hold.
#[test]
fn addresses_and_data_urls() {
    let mut store = store(&[]);
    let (url, planned) = put(&mut store, "https://x.org/a.png?b=\"c\"").unwrap();
    assert_eq!((url.as_str(), planned.size), ("https://x.org/a.png?b=\\\"c\\\"", None));
    put(&mut store, "HTTP://x.org/a.png").unwrap();
    let data = STANDARD.encode(picture(5, 4, ImageFormat::Png));
    let (url, planned) = put(&mut store, &format!("data:image/png;base64,{data}")).unwrap();
    assert_eq!(url, format!("data:image/png;base64,{data}"));
    assert_eq!(planned.size, Some(ImageSize { width: 5, height: 4 }));
    for (cell, expected) in [
        ("data:image/png,abc", "image is a data URL without base64"),
        ("data:image/png;base64,a b=", "image is a data URL with damaged base64"),
        ("data:image/png;base64,abc", "image is a data URL with damaged base64"),
        ("data:text/plain;base64,aGVsbG8gdGhlcmU=", "image is text and not a picture"),
        ("ftp://x.org/a.png", "image not found"),
    ] {
        let reason = put(&mut store, cell).unwrap_err().reason;
        assert!(reason.starts_with(expected), "{cell}: {reason}");
    }
    store.max_bytes = 20;
    let reason = put(&mut store, &format!("data:image/png;base64,{data}")).unwrap_err().reason;
    assert!(reason.starts_with("image is too large"), "{reason}");
}

/// B01: the length of an image made smaller is exact, and the same every time.
#[test]
fn images_are_made_smaller_only_where_they_are_larger() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&[folder.path()]);
    store.max_side = Some(20);
    for (format, out) in [
        (ImageFormat::Jpeg, ImageFormat::Jpeg),
        (ImageFormat::Png, ImageFormat::Png),
        (ImageFormat::Gif, ImageFormat::Png),
        (ImageFormat::WebP, ImageFormat::Png),
    ] {
        let name = format!("{format:?}");
        fs::write(folder.path().join(&name), picture(60, 30, format)).unwrap();
        let (url, planned) = put(&mut store, &name).unwrap();
        let data = STANDARD.decode(url.split_once(',').unwrap().1).unwrap();
        assert_eq!(image::guess_format(&data).unwrap(), out, "{name}");
        assert_eq!(planned.size, Some(ImageSize { width: 20, height: 10 }), "{name}");
        assert_eq!(size_of(&data), planned.size, "{name}");
        assert_eq!(put(&mut store, &name).unwrap(), (url, planned), "{name}");
    }
    let small = picture(20, 20, ImageFormat::Gif);
    fs::write(folder.path().join("small"), &small).unwrap();
    let (url, _) = put(&mut store, "small").unwrap();
    assert_eq!(STANDARD.decode(url.split_once(',').unwrap().1).unwrap(), small);
}

#[test]
fn too_many_pixels_are_refused_before_decoding() {
    let mut png = picture(2, 2, ImageFormat::Png);
    png[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
    let error = load("a.png", &png, Some(512)).err().unwrap().reason;
    assert_eq!(error, "image has too many pixels to be made smaller (100000 x 100000): a.png");
    assert!(load("a.png", &png, None).is_ok(), "what is not decoded needs no bound");
}

#[test]
fn what_was_learnt_of_a_file_ends_with_the_file_and_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let mut store = store(&[folder.path()]);
    fs::write(&path, picture(4, 4, ImageFormat::Png)).unwrap();
    let first = store.plan("a.png").unwrap();
    assert_eq!(store.plan("./a.png").unwrap(), first);
    assert_eq!(store.memo.len(), 1);
    fs::write(&path, picture(5, 4, ImageFormat::Png)).unwrap();
    let second = store.plan("a.png").unwrap();
    assert_ne!(first.key, second.key);
    let stamp = Stamp::of(&path).unwrap();
    for number in 0..20_000 {
        store.memo.put(PathBuf::from(number.to_string()), stamp, first);
    }
    assert!(store.memo.len() <= 8192, "{}", store.memo.len());
    assert_eq!(store.memo.get(Path::new("19999"), stamp), Some(first));
    assert_eq!(store.memo.get(Path::new("0"), stamp), None);
}

/// S3.12, S3.15: a picture that a person names may lie anywhere, is judged by its bytes, and is
/// made smaller where that is wished.
#[test]
fn a_picture_that_was_typed_becomes_what_a_request_carries() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cat.jpg"), picture(31, 17, ImageFormat::Png)).unwrap();
    let far = elsewhere.path().join("far.webp");
    fs::write(&far, picture(300, 10, ImageFormat::WebP)).unwrap();
    fs::write(folder.path().join("notes.png"), "not a picture").unwrap();
    let options = ImageOptions { max_side: Some(100), ..ImageOptions::default() };
    let url = |name: &str| image_url(name, folder.path(), &options);
    assert!(url("cat.jpg").unwrap().starts_with("data:image/png;base64,iVBOR"));
    let small = url(&far.display().to_string()).unwrap();
    assert_eq!(size_of_data_url(&small).map(|size| size.width), Some(100));
    assert_eq!(url("https://x/a.png").as_deref(), Ok("https://x/a.png"));
    let mistakes =
        [("notes.png", "is text and not a picture: notes.png"), ("no.png", "not found: no.png")];
    for (name, expected) in mistakes {
        assert!(url(name).unwrap_err().reason.ends_with(expected), "{name}");
    }
    let small = ImageOptions { max_bytes: 10, ..ImageOptions::default() };
    let error = image_url("cat.jpg", folder.path(), &small).unwrap_err();
    assert!(error.reason.contains("is too large"), "{error}");

    let kinds = [
        (&picture(3, 3, ImageFormat::Gif)[..], true),
        (b"II\x2a\0", true),
        (b"<svg xmlns=", true),
        (b"{\"custom_id\":\"a\"}", false),
        (b"%PDF-1.7", false),
        (b"", false),
    ];
    for (bytes, expected) in kinds {
        assert_eq!(is_picture(bytes), expected, "{:?}", &bytes[..bytes.len().min(8)]);
    }
}
