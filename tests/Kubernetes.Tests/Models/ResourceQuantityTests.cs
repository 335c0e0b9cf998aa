using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class ResourceQuantityTests
{
    [Theory]
    [InlineData("0", "0")]
    [InlineData("8", "8")]
    [InlineData("-3", "-3")]
    [InlineData("+2", "2")]
    [InlineData("0.5", "0.5")]
    [InlineData(".5", "0.5")]
    [InlineData("5.", "5")]
    [InlineData("100m", "0.1")]
    [InlineData("250u", "0.00025")]
    [InlineData("7n", "0.000000007")]
    [InlineData("2k", "2000")]
    [InlineData("1.5Gi", "1610612736")]
    [InlineData("900Gi", "966367641600")]
    [InlineData("4Ei", "4611686018427387904")]
    [InlineData("1e3", "1000")]
    [InlineData("12E-1", "1.2")]
    [InlineData("1E", "1000000000000000000")]
    public void Its_value_is_in_base_units(string text, string expected) =>
        Assert.Equal(decimal.Parse(expected, System.Globalization.CultureInfo.InvariantCulture), new ResourceQuantity(text).Value);

    [Theory]
    [InlineData("")]
    [InlineData("Gi")]
    [InlineData("1 Gi")]
    [InlineData("1gi")]
    [InlineData("1K")]
    [InlineData("--1")]
    [InlineData("1,5")]
    [InlineData("1e")]
    [InlineData("1e3k")]
    [InlineData("e3")]
    [InlineData(".")]
    [InlineData("9Ei")]
    [InlineData("1e99")]
    [InlineData("0x10")]
    public void What_is_not_a_quantity_is_refused(string text) => Assert.Throws<FormatException>(() => new ResourceQuantity(text));

    [Fact]
    public void Equality_is_by_value_and_the_text_is_kept()
    {
        Assert.Equal(new ResourceQuantity("1000m"), new ResourceQuantity("1"));
        Assert.Equal(new ResourceQuantity("1000m").GetHashCode(), new ResourceQuantity("1").GetHashCode());
        Assert.True(new ResourceQuantity("1Ki") > new ResourceQuantity("1k"));
        Assert.Equal("1000m", new ResourceQuantity("1000m").ToString());
        Assert.Equal(default, new ResourceQuantity("0"));
        Assert.Equal(2, new ResourceQuantity("1001m").ToInt64());
    }

    [Fact]
    public void Any_text_is_either_refused_or_parsed_and_never_crashes() =>
        Prop.ForAll(ArbMap.Default.ArbFor<string>(), text =>
        {
            try
            {
                _ = JsonSerializer.Deserialize(JsonSerializer.Serialize(new Dictionary<string, string> { ["sizeLimit"] = text ?? "" }), TestJson.Default.V1EmptyDirVolumeSource);
            }
            catch (JsonException)
            {
                // refused
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Whole_numbers_come_back_whole() =>
        Prop.ForAll(ArbMap.Default.ArbFor<long>(), n => new ResourceQuantity(n.ToString(System.Globalization.CultureInfo.InvariantCulture)).Value == n).QuickCheckThrowOnFailure();
}
