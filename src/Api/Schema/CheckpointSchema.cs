using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Schema;

/// <summary>The schema of <see cref="OptCheckpoint"/>.</summary>
internal static class CheckpointSchema
{
    /// <summary>On the whole object: a rule on the spec would not see that it is removed.</summary>
    private const string StaysCondemned =
        "!has(oldSelf.spec) || !has(oldSelf.spec.condemned) || (has(self.spec) && has(self.spec.condemned) && self.spec.condemned == oldSelf.spec.condemned)";

    /// <inheritdoc cref="JobSchema.Build"/>
    public static JsonObject Build(Func<string, string?> documentation)
    {
        var builder = new SchemaBuilder(documentation);
        var spec = builder.Object(SpecJson.Default.OptCheckpointSpec, defaults: null);
        JobSchema.Describe(spec, documentation(JobSchema.Id<OptCheckpointSpec>()));
        var status = builder.Object(SpecJson.Default.OptCheckpointStatus, defaults: null);
        JobSchema.Describe(status, documentation(JobSchema.Id<OptCheckpointStatus>()));
        var root = new JsonObject
        {
            ["type"] = "object",
            ["properties"] = JobSchema.Root(spec, status),
            ["x-kubernetes-validations"] = new JsonArray(CelRules.Rule(StaysCondemned, "spec.condemned cannot be changed or removed: a condemned checkpoint stays condemned")),
        };
        JobSchema.Describe(root, documentation(JobSchema.Id<OptCheckpoint>()));
        return root;
    }
}
