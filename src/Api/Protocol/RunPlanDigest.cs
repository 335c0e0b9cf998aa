using System.Security.Cryptography;
using System.Text.Json;

namespace Opt.Api.Protocol;

/// <summary>SHA-256 over the plan's JSON in declaration order, without whitespace, as lower-case hexadecimal.</summary>
public static class RunPlanDigest
{
    public static string Of(RunPlan plan) =>
        Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(plan, ProtocolJson.Default.RunPlan)));
}
