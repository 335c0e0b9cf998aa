using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Api.Validation;
using Xunit;

namespace Opt.Layout;

/// <summary>The manifests people copy: files in examples/ and YAML blocks in the documents.</summary>
public sealed partial class ExampleTests
{
    private static readonly string[] SmokeTestSizes = ["opt-8m", "opt-760m"];
    private static readonly string[] Members = ["apiVersion", "kind", "metadata", "spec"];

    public static TheoryData<string> Files => [.. RepoFiles.Under("examples", ".yaml")];

    public static TheoryData<string> Documents => [.. RepoFiles.All.Where(p => p.EndsWith(".md", StringComparison.Ordinal) && JobsIn(p).Any())];

    [Theory]
    [MemberData(nameof(Files))]
    public void An_example_holds_a_valid_job_and_no_unknown_field(string path)
    {
        var jobs = Jobs(RepoFiles.Read(path)).ToList();

        Assert.NotEmpty(jobs);
        Assert.All(jobs, AssertValid);
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void A_job_shown_in_a_document_is_valid(string path) => Assert.All(JobsIn(path), AssertValid);

    [Fact]
    public void There_is_an_example_for_every_size_of_opt()
    {
        var files = RepoFiles.Under("examples", ".yaml").Select(p => Path.GetFileNameWithoutExtension(p)).ToList();

        Assert.All(ModelPreset.All.Select(p => p.Name).Except(SmokeTestSizes), size =>
        {
            Assert.Contains(size, files);
            Assert.Equal(size, (string?)Jobs(RepoFiles.Read($"examples/{size}.yaml")).Single()["spec"]!["model"]!["preset"]);
        });
    }

    [Fact]
    public void A_job_with_a_misspelt_field_would_not_pass()
    {
        var job = Jobs(RepoFiles.Read("examples/opt-125m.yaml")).Single();
        job["spec"]!["training"]!["totalToken"] = 1;

        Assert.ThrowsAny<JsonException>(() => AssertValid(job));
    }

    private static void AssertValid(JsonObject job)
    {
        Assert.Equal($"{OptTrainingJob.Group}/{OptTrainingJob.Version}", (string?)job["apiVersion"]);
        Assert.Empty(job.Select(m => m.Key).Except(Members));
        Assert.Empty(SpecValidation.ValidateName((string)job["metadata"]!["name"]!));
        Assert.NotNull(job["spec"].Deserialize(StrictSpecJson.Default.OptTrainingJobSpec));
        Assert.Empty(SpecValidation.Validate(job["spec"]));
    }

    private static IEnumerable<JsonObject> Jobs(string yaml) => Yaml.Parse(yaml).OfType<JsonObject>().Where(o => (string?)o["kind"] == OptTrainingJob.KindName);

    private static IEnumerable<JsonObject> JobsIn(string document) => YamlBlock().Matches(RepoFiles.Read(document))
        .Select(m => m.Groups[1].Value).Where(b => b.Contains("kind: " + OptTrainingJob.KindName, StringComparison.Ordinal)).SelectMany(Jobs);

    [GeneratedRegex("^```yaml\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex YamlBlock();
}
