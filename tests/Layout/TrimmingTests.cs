using Xunit;

namespace Opt.Layout;

/// <summary>Operator and plugin are published trimmed, which takes minutes; what breaks it and no analyzer sees is found here.</summary>
public sealed class TrimmingTests
{
    [Theory]
    [InlineData("opt-operator")]
    [InlineData("kubectl-opt")]
    [InlineData("Opt.Planning")]
    [InlineData("Opt.Kubernetes")]
    public void Nothing_that_is_trimmed_adds_to_a_JSON_array_by_the_method_that_reflects(string assembly) =>
        Assert.DoesNotContain("System.Text.Json.Nodes.JsonArray.Add", AssemblyMetadata.Of(assembly).GenericCalls);   // `[x]` as a JsonArray where x is no JsonNode by type

    [Fact]
    public void The_scan_finds_generic_calls() => Assert.Contains("System.Linq.Enumerable.Select", AssemblyMetadata.Of("opt-operator").GenericCalls);
}
