using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Opt.Api.Tests;

public sealed class YamlTests
{
    [Fact]
    public void Plain_scalars_are_read_as_Kubernetes_reads_them()
    {
        var node = Yaml.Parse("{a: 1, b: 1.5e-4, c: true, d: '1', e: null, f: text}")[0];
        Assert.Equal("""{"a":1,"b":0.00015,"c":true,"d":"1","e":null,"f":"text"}""", node.ToJsonString());
    }

    [Fact]
    public void Any_text_is_read_or_refused_with_a_FormatException()
    {
        var pieces = Gen.Elements(": ", "- ", "[", "]", "{", "}", "|", ">", "&x", "*x", "!!str", "---", "\n", "  ", "#", "null", "'", "\"", "1", "a", "?", "\t").ListOf();
        Prop.ForAll(Arb.From(pieces), list =>
        {
            try
            {
                Yaml.Parse(string.Concat(list));
            }
            catch (FormatException)
            {
                // the only refusal there is
            }
        }).QuickCheckThrowOnFailure();
    }
}
