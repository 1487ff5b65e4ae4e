//! Image tables: types from the bytes, rows whose image fails keep their place, nothing outside
//! the allowed folders is read.

use base64::Engine as _;
use serde_json::Value;

use crate::support::runs::at;
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

fn with_pictures(table: &str) -> WorkDir {
    let dir = WorkDir::new();
    dir.fixture(&format!("tables/{table}"));
    dir.fixture("images");
    dir
}

/// The image part of a request: media type and bytes.
fn image_of(request: &Value) -> (String, Vec<u8>, Value) {
    let parts = request["body"]["messages"][0]["content"].as_array().expect("parts").clone();
    let part = parts.iter().find(|part| part["type"] == "image_url").expect("an image").clone();
    let url = part["image_url"]["url"].as_str().expect("an address");
    let (kind, data) =
        url.strip_prefix("data:").and_then(|u| u.split_once(";base64,")).expect("data");
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
    (kind.to_owned(), bytes, part["image_url"]["detail"].clone())
}

/// S1.16, S1.17, B01: every picture in its own type, byte for byte, beside its text.
#[test]
fn s1_16_s1_17_b01_pictures_are_sent_as_they_are() {
    let sandbox = Sandbox::start();
    let dir = with_pictures("pictures.csv");
    let run = at(&sandbox, dir.batchctl("workflow pictures.csv out.csv")).run().exits(0);
    run.says(&["Image Path", "Content of P*"]);
    let kinds = ["png", "gif", "jpeg", "webp", "png", "jpeg", "png"];
    let cells = dir.cells("out.csv");
    for (((request, kind), path), text) in sandbox
        .requests()
        .iter()
        .zip(kinds)
        .zip(cells.column("Image Path"))
        .zip(cells.column("Content of P*"))
    {
        let (sent, bytes, detail) = image_of(request);
        assert_eq!((sent, detail), (format!("image/{kind}"), "high".into()), "{path}");
        assert_eq!(bytes, dir.bytes(path));
        assert!(
            request["body"]["messages"][0]["content"]
                .to_string()
                .contains(text.lines().next().expect("a text"))
        );
    }
    for (answer, kind) in cells.column("response").iter().zip(kinds) {
        assert!(answer.contains(&format!("[1 image: image/{kind}")), "{answer}");
    }
}

/// S1.23, B01, B05: what goes wrong is skipped with its reason and keeps its place.
#[test]
fn s1_23_b01_b05_broken_pictures_keep_their_place() {
    let sandbox = Sandbox::start();
    let dir = with_pictures("pictures-broken.csv");
    let line = "workflow pictures-broken.csv out.csv";
    at(&sandbox, dir.batchctl(line)).run().exits(2).says(&["--allow-missing-images"]);
    assert_eq!(sandbox.created(), 0, "more than half fail: nothing is sent");
    at(&sandbox, dir.batchctl(line).arg("--allow-missing-images")).run().exits(3);
    let cells = dir.cells("out.csv");
    let shown: Vec<String> = cells
        .column("Category")
        .iter()
        .zip(cells.column("status"))
        .zip(cells.column("error"))
        .map(|((category, status), error)| {
            format!("{category}: {status} {error}").trim_end().to_owned()
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"");
    let sent: Vec<String> = sandbox.requests().iter().map(|request| image_of(request).0).collect();
    assert_eq!(sent, ["image/png", "image/jpeg"], "a JPEG named .png is sent as what it is");
}

/// Paths from another folder: refused with the flag that allows it.
#[test]
fn s1_23_images_outside_the_roots_name_the_flag() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    let far = WorkDir::new();
    far.fixture("images");
    let path = far.path("images").join("cat.png");
    dir.table("in.csv", &[&["photo", "text"], &[path.to_str().expect("Unicode"), "a cat"]]);
    let root = far.path("images");
    let root = root.canonicalize().expect("it exists");
    at(&sandbox, dir.batchctl("workflow in.csv out.csv"))
        .run()
        .exits(2)
        .says(&["--image-root", &root.to_string_lossy()]);
    let line = dir.batchctl("workflow in.csv out.csv --image-root").arg(&root);
    at(&sandbox, line).run().exits(0);
    // A relative name is found below the root as well.
    dir.write("in.csv", "photo,text\ncat.png,a cat\n");
    let line = dir.batchctl("workflow in.csv o2.csv --image-root").arg(&root);
    at(&sandbox, line).run().exits(0);
    assert_eq!(image_of(&sandbox.requests()[1]).1, far.bytes("images/cat.png"));
}

/// B01: several columns, data URLs, addresses, detail, and larger pictures made smaller.
#[test]
fn b01_several_columns_addresses_and_downscale() {
    let sandbox = Sandbox::start();
    let dir = with_pictures("pictures.csv");
    let cat = base64::engine::general_purpose::STANDARD.encode(dir.bytes("images/cat.png"));
    let data = format!("data:image/png;base64,{cat}");
    dir.table(
        "in.csv",
        &[
            &["before", "after", "text"],
            &["images/house.png", "https://images.example/cat.png", "compare"],
            &[&data, "images\\stop.jpg", "compare these"],
        ],
    );
    let line = "workflow in.csv out.csv --image-column before --image-column after \
                --input-column text --image-detail low";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let requests = sandbox.requests();
    let urls = |row: usize| -> Vec<String> {
        let parts = requests[row]["body"]["messages"][0]["content"].as_array().expect("parts");
        let images = parts.iter().filter(|part| part["type"] == "image_url");
        images
            .map(|part| {
                assert_eq!(part["image_url"]["detail"], "low");
                part["image_url"]["url"].as_str().expect("an address").chars().take(30).collect()
            })
            .collect()
    };
    assert_eq!(urls(0), ["data:image/png;base64,iVBORw0K", "https://images.example/cat.png"]);
    assert_eq!(urls(1), ["data:image/png;base64,iVBORw0K", "data:image/jpeg;base64,/9j/4AA"]);

    let small = "workflow pictures.csv small.csv --image-max-side 16";
    at(&sandbox, dir.batchctl(small)).run().exits(0);
    for request in &sandbox.requests()[2..] {
        let (_, bytes, _) = image_of(request);
        let size = imagesize::blob_size(&bytes).expect("an image");
        assert!(size.width.max(size.height) <= 16, "{size:?}");
    }
}
