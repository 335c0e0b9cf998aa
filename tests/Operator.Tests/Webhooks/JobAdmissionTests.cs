using System.Text;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Operator.Webhooks;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Webhooks;

public sealed class JobAdmissionTests
{
    [Theory]
    [InlineData("""{"metadata": {"name": "j", "labels": {"a": "1", "a": "2"}}}""")]
    [InlineData("""{"metadata": {"name": "j", "labels": {"a": "\ud800"}}}""")]
    [InlineData("""{"metadata": {"name": "j"}, "spec": {"topology": {"nodes": 1, "nodes": 2}}}""")]
    public void A_review_whose_object_cannot_be_read_to_its_end_is_malformed_before_anything_is_decided(string target)
    {
        var review = """{"request": {"uid": "u", "operation": "CREATE", "userInfo": {"username": "a"}, "object": """ + target + "}}";

        Assert.Throws<FormatException>(() => AdmissionRequest.Parse(Encoding.UTF8.GetBytes(review)));
    }

    [Fact]
    public void Bytes_that_are_no_text_are_malformed()
    {
        var review = Encoding.Latin1.GetBytes("""{"request": {"uid": "u", "object": {"metadata": {"annotations": {"x": "ÿ"}}}}}""");

        Assert.Throws<FormatException>(() => AdmissionRequest.Parse(review));
    }

    [Fact]
    public void A_good_job_is_allowed_and_stamped_with_who_made_it()
    {
        var request = new AdmissionRequest("u", "CREATE", "ada", Job(), null);

        Assert.Empty(JobAdmission.Validate(request).Faults);
        Assert.Equal("""[{"op":"add","path":"/metadata/annotations","value":{"training.opt-operator.io/edited-by":"ada"}}]""", JobAdmission.Default(request).Patch!.ToJsonString());
    }

    [Fact]
    public void Every_fault_has_a_message_of_its_own()
    {
        var job = Job();
        job["metadata"]!["name"] = "2much";
        job["spec"]!["training"]!["batchTokens"] = 1000;
        job["spec"]!["data"]!["train"]![0]!["path"] = "../secret";

        var answer = JobAdmission.Validate(new("u", "CREATE", "ada", job, null));
        var causes = answer.ToReview("u", "2much")["response"]!["status"]!["details"]!["causes"]!.AsArray();

        Assert.Equal(["metadata.name", "spec.training.batchTokens", "spec.data.train[0].path"], causes.Select(c => (string)c!["field"]!));
        Assert.All(causes, c => Assert.Contains("is not allowed; must", (string)c!["message"]!, StringComparison.Ordinal));
    }

    [Fact]
    public void What_may_not_change_is_refused_by_name()
    {
        var changed = Job();
        changed["spec"]!["training"]!["seed"] = 2;

        var fault = Assert.Single(JobAdmission.Validate(new("u", "UPDATE", "ada", changed, Job())).Faults);

        Assert.Equal("spec.training.seed", fault.Path);
        Assert.Contains("immutable: it was 1", fault.Allowed, StringComparison.Ordinal);
    }

    [Fact]
    public void A_job_that_is_being_deleted_is_never_held_up()
    {
        var deleted = Job();
        deleted["metadata"]!["deletionTimestamp"] = "2026-01-01T00:00:00Z";
        deleted["spec"]!["training"]!["batchTokens"] = 1000;
        var request = new AdmissionRequest("u", "UPDATE", "ada", deleted, Job());

        Assert.Empty(JobAdmission.Validate(request).Faults);
        Assert.Null(JobAdmission.Default(request).Patch);
    }

    [Fact]
    public void A_bad_spec_that_slipped_in_does_not_hold_up_a_change_of_a_label()
    {
        var bad = Job();
        bad["spec"]!["training"]!["batchTokens"] = 1000;
        var labelled = bad.DeepClone().AsObject();
        labelled["metadata"]!["labels"] = new JsonObject { ["team"] = "a" };

        Assert.Empty(JobAdmission.Validate(new("u", "UPDATE", "ada", labelled, bad)).Faults);
    }

    [Fact]
    public void The_stamp_follows_edits_of_the_spec_and_requests_and_nobody_can_write_it()
    {
        var stored = Job();
        stored["metadata"]!["annotations"] = new JsonObject { [JobAdmission.EditedBy] = "ada" };
        var forged = stored.DeepClone().AsObject();
        forged["metadata"]!["annotations"]![JobAdmission.EditedBy] = "root";
        var requested = stored.DeepClone().AsObject();
        requested["metadata"]!["annotations"]!["request.training.opt-operator.io/checkpoint"] = "1";
        var labelled = stored.DeepClone().AsObject();
        labelled["metadata"]!["labels"] = new JsonObject { ["team"] = "a" };

        Assert.Equal("ada", Stamped(forged, stored, "mallory"));
        Assert.Equal("grace", Stamped(requested, stored, "grace"));
        Assert.Null(JobAdmission.Default(new("u", "UPDATE", "grace", labelled, stored)).Patch);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"request": {}}""")]
    [InlineData("""{"request": {"uid": 7, "object": {}}}""")]
    [InlineData("""{"request": {"uid": "u", "object": 7}}""")]
    public void A_malformed_review_is_said_to_be_one(string body)
    {
        var error = Record.Exception(() => AdmissionRequest.Parse(Encoding.UTF8.GetBytes(body)));

        Assert.Contains("AdmissionReview", Assert.IsType<FormatException>(error).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("spec", "7")]
    [InlineData("spec", "{\"model\": []}")]
    [InlineData("metadata", "7")]
    [InlineData("metadata", "{\"annotations\": 7, \"name\": 7}")]
    public void An_object_of_another_shape_is_answered_and_never_throws(string member, string value)
    {
        var job = Job();
        job[member] = JsonNode.Parse(value);

        JobAdmission.Default(new("u", "CREATE", "ada", job, null));
        JobAdmission.Validate(new("u", "UPDATE", "ada", job, Job()));
        JobAdmission.Validate(new("u", "UPDATE", "ada", Job(), job));
    }

    private static string? Stamped(JsonObject now, JsonObject old, string user) => (string?)JobAdmission.Default(new("u", "UPDATE", user, now, old)).Patch![0]!["value"];

    private static JsonObject Job() => (JsonObject)Yaml.Parse(File.ReadAllText(Repo.PathOf("examples", "opt-tiny.yaml")))[0];
}
