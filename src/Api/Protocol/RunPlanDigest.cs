using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Opt.Api.Protocol;

/// <summary>SHA-256 over the plan's JSON in declaration order, without whitespace, as lower-case hexadecimal.</summary>
public static class RunPlanDigest
{
    // A plan never changes once it is made, and every poll asks for its digest: with 2,048 members it is half a megabyte to hash.
    private static readonly ConditionalWeakTable<RunPlan, string> Known = [];

    public static string Of(RunPlan plan) => Known.GetValue(plan, Compute);

    private static string Compute(RunPlan plan) => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(plan, ProtocolJson.Default.RunPlan)));
}
